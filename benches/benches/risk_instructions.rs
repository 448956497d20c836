//! How many instructions an accepted order costs in the risk gate, judged, reserved and given back with
//! every check on: a figure without noise, which must stay below the bound in
//! `risk_instructions.txt`.
//!
//! The program runs itself under valgrind's callgrind, which counts only inside `pass_the_gate`.
//! Where there is no valgrind it says so and checks nothing.

mod common;

use std::process::ExitCode;

use spindle_benches::instructions::Guard;

use common::{CHECKS, Orders, gate, limits};

const ORDERS: u32 = 10_000;
const STREAM: &str = "--pass-the-gate";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == STREAM) {
        let mut orders = Orders::new(gate(limits(&CHECKS)));
        pass_the_gate(&mut orders);
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
    guard.check()
}

#[inline(never)]
fn pass_the_gate(orders: &mut Orders) {
    for _ in 0..ORDERS {
        orders.enter_and_cancel();
    }
}
