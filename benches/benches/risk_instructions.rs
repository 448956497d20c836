//! How many instructions an accepted order costs in the risk gate, judged, reserved and given back with
//! every check on: a figure without noise, which must stay below the bound in
//! `risk_instructions.txt`. With `--each` it tells what judging costs with each check alone, and with
//! the limits of one level and of all four.
//!
//! The program runs itself under valgrind's callgrind, which counts only inside `pass_the_gate`.
//! Where there is no valgrind it says so and checks nothing.

use std::process::ExitCode;

use spindle_benches::instructions::{Counted, Guard};
use spindle_benches::risk::{CHECKS, Orders, at_every_level, gate, limits};
use spindle_types::Side;

const ORDERS: u32 = 10_000;
const STREAM: &str = "--pass-the-gate";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == STREAM) {
        match arguments.get(at + 1) {
            Some(what) => pass_the_gate(&mut orders(what), |orders| _ = orders.judge()),
            None => pass_the_gate(&mut orders("every check"), Orders::enter_and_cancel),
        }
        return ExitCode::SUCCESS;
    }
    let guard = Guard {
        argument: STREAM,
        function: "pass_the_gate",
        unit: "an order",
        units: ORDERS,
        bound: include_str!("../risk_instructions.txt"),
        file: "benches/risk_instructions.txt",
    };
    if arguments.iter().any(|argument| argument == "--each") {
        let whole = ["no limits", "every check", "every check, a short sale", "all four levels"];
        let names = CHECKS.into_iter().map(|(name, _)| name);
        for what in whole.into_iter().chain(names) {
            if let Counted::Each(each) = guard.count(&[what]) {
                println!("{what}: {each:.0}");
            }
        }
    }
    guard.check()
}

/// Orders that meet these limits.
fn orders(what: &str) -> Orders {
    let all = limits(&CHECKS);
    match what {
        "no limits" => Orders::new(gate(limits(&[]))),
        "every check" => Orders::new(gate(all)),
        "every check, a short sale" => Orders::of(at_every_level(all, &[]), Side::Sell),
        "all four levels" => Orders::new(at_every_level(all, &[all; 3])),
        check => {
            let one = CHECKS.into_iter().filter(|(name, _)| *name == check).collect::<Vec<_>>();
            Orders::new(gate(limits(&one)))
        }
    }
}

#[inline(never)]
fn pass_the_gate(orders: &mut Orders, mut pass: impl FnMut(&mut Orders)) {
    for _ in 0..ORDERS {
        pass(orders);
    }
}
