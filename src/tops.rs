//! The best prices of every instrument as a CSV table.

use std::io::{self, Write};

use spindle_engine::Engine;
use spindle_types::{PriceUnit, Side};

/// Writes one row for every instrument; an empty field where a side is empty.
pub fn write_tops(out: &mut impl Write, engine: &Engine) -> io::Result<()> {
    writeln!(out, "locate,symbol,bid_price,bid_size,ask_price,ask_size")?;
    for (id, instrument) in engine.instruments().iter() {
        write!(out, "{id},{}", instrument.symbol)?;
        for side in [Side::Buy, Side::Sell] {
            match engine.books().best(id, side) {
                Some(best) => {
                    let price = PriceUnit::TEN_THOUSANDTH.decimal(best.price);
                    write!(out, ",{price},{}", best.quantity)?;
                }
                None => write!(out, ",,")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
