//! The best prices of every instrument as a CSV table.

use std::io::{self, Write};

use spindle_engine::Engine;
use spindle_types::{PriceUnit, Side};

/// Writes one row for every instrument, by number; an empty field where a side is empty. Where there
/// are several engines, each knows other instruments.
pub fn write_tops(out: &mut impl Write, engines: &[Engine]) -> io::Result<()> {
    let known = engines.iter().flat_map(|engine| {
        engine.instruments().iter().map(move |(id, instrument)| (id, instrument.symbol, engine))
    });
    let mut rows: Vec<_> = known.collect();
    rows.sort_by_key(|&(id, ..)| id);
    writeln!(out, "locate,symbol,bid_price,bid_size,ask_price,ask_size")?;
    for (id, symbol, engine) in rows {
        write!(out, "{id},{symbol}")?;
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
