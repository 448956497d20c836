//! How many instructions an accepted order costs in the risk gate, judged, reserved and given back with
//! every check on: a figure without noise, which must stay below the bound in
//! `risk_instructions.txt`.
//!
//! The program runs itself under valgrind's callgrind, which counts only inside `pass_the_gate`.
//! Where there is no valgrind it says so and checks nothing.

mod common;

use std::process::{Command, ExitCode};

use common::{CHECKS, Orders, gate, limits};

const ORDERS: u32 = 10_000;
const STREAM: &str = "--pass-the-gate";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == STREAM) {
        let mut orders = Orders::new(gate(limits(&CHECKS)));
        pass_the_gate(&mut orders);
        return ExitCode::SUCCESS;
    }
    let bound: f64 = include_str!("../risk_instructions.txt").trim().parse().expect("a number");
    let program = std::env::current_exe().expect("a path");
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*pass_the_gate*")
        .arg(program)
        .arg(STREAM)
        .output();
    let Ok(counted) = counted else {
        println!("skipped: there is no valgrind here, so instructions are not counted");
        return ExitCode::SUCCESS;
    };
    let said = String::from_utf8_lossy(&counted.stderr);
    let Some(instructions) = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, number)| number.trim().parse::<u32>().ok())
    else {
        eprintln!("valgrind counted nothing:\n{said}");
        return ExitCode::FAILURE;
    };
    let each = f64::from(instructions) / f64::from(ORDERS);
    println!("instructions an order: {each:.1}, the bound is {bound}");
    if each > bound || each < bound / 2.0 {
        eprintln!("outside of half the bound to the bound; see benches/risk_instructions.txt");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[inline(never)]
fn pass_the_gate(orders: &mut Orders) {
    for _ in 0..ORDERS {
        orders.enter_and_cancel();
    }
}
