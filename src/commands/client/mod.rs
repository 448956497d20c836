//! `spindle client`: orders typed at a terminal, over either protocol.

mod line;

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{FixLogin, Login, OrderEvent, TradingClient, TradingError};
use spindle_gateway::fix::Version;
use spindle_types::PriceUnit;

use self::line::{Asked, HELP, read};
use crate::exit::Exit;

/// Between two looks at the connection while nothing is typed.
const PAUSE: Duration = Duration::from_millis(2);

/// Lines that wait to be dealt with.
const LINES_MAX: usize = 64;

/// Connect to a venue, type orders, see the answers as they come.
///
/// `help` lists what can be typed. Without a terminal, lines are read from standard input and answers written to
/// standard output; at the end of the input the last answers are waited for.
#[derive(Args)]
pub(crate) struct Client {
    /// The venue: 127.0.0.1:8401
    #[arg(value_name = "HOST:PORT")]
    venue: String,
    /// What is spoken
    #[arg(long, value_enum, default_value = "ouch")]
    protocol: Protocol,
    /// User of the session; over FIX 4.4 the Username, where one is asked for
    #[arg(long, value_name = "NAME", required_if_eq("protocol", "ouch"))]
    user: Option<String>,
    /// Password; the variable SPINDLE_PASSWORD keeps it out of the list of processes
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// FIX: the own CompID
    #[arg(long, value_name = "NAME", required_if_eq("protocol", "fix"))]
    comp_id: Option<String>,
    /// FIX: the venue's CompID
    #[arg(long, value_name = "NAME", default_value = "SPINDLE")]
    target: String,
    /// FIX: the version
    #[arg(long = "fix", value_enum, default_value = "4.4", value_name = "VERSION")]
    fix_version: FixVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Ouch,
    Fix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FixVersion {
    #[value(name = "4.2")]
    Fix42,
    #[value(name = "4.4")]
    Fix44,
}

/// What the reader of lines tells.
enum Input {
    Line(String),
    End,
}

impl Client {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let address = self.address()?;
        let client = self.connect(address)?;
        let (sender, lines) = bounded(LINES_MAX);
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return converse(client, address, &sender, lines);
        }
        thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || read_lines(&sender))
            .map_err(Exit::failed)?;
        let mut out = io::stdout().lock();
        // Who reads the answers may be gone: then nobody wants to know.
        let ended = serve(client, &lines, &mut |text| {
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        });
        ended.map_err(Exit::failed)
    }

    fn address(&self) -> Result<SocketAddr, Exit> {
        let wrong = |why: String| {
            Exit::usage(format!("{}: {why}; give one such as 127.0.0.1:8401", self.venue))
        };
        let mut found = self.venue.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
        found.next().ok_or_else(|| wrong("no address".to_owned()))
    }

    fn connect(&self, address: SocketAddr) -> Result<TradingClient, Exit> {
        let from_environment = || std::env::var("SPINDLE_PASSWORD").unwrap_or_default();
        let password = self.password.clone().unwrap_or_else(from_environment);
        let user = self.user.as_deref().unwrap_or_default();
        match self.protocol {
            Protocol::Ouch => {
                let login = Login::new(user, &password).map_err(Exit::usage)?;
                TradingClient::connect_ouch(address, login).map_err(Exit::failed)
            }
            Protocol::Fix => {
                let version = match self.fix_version {
                    FixVersion::Fix42 => Version::Fix42,
                    FixVersion::Fix44 => Version::Fix44,
                };
                let comp_id = self.comp_id.as_deref().unwrap_or_default();
                let login = FixLogin::new(version, comp_id, &self.target).with(user, &password);
                TradingClient::connect_fix(address, login)
                    .map_err(|error| Exit::failed(format!("{address}: {error}")))
            }
        }
    }
}

/// At a terminal: the line that is being typed stays whole while answers come.
fn converse(
    client: TradingClient,
    address: SocketAddr,
    sender: &Sender<Input>,
    lines: Receiver<Input>,
) -> Result<(), Exit> {
    let mut editor = DefaultEditor::new().map_err(Exit::failed)?;
    let mut printer = editor.create_external_printer().map_err(Exit::failed)?;
    println!("connected to {address}; help lists what can be typed");
    let (over, ended) = bounded(1);
    let served = thread::Builder::new().name("client".to_owned()).spawn(move || {
        let result = serve(client, &lines, &mut |text| {
            let _ = printer.print(format!("{text}\n"));
        });
        let _ = over.send(());
        result
    });
    let served = served.map_err(Exit::failed)?;
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                if sender.send(Input::Line(line)).is_err() {
                    break;
                }
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => {
                let _ = sender.send(Input::End);
                break;
            }
            Err(error) => return Err(Exit::failed(error)),
        }
        // What ends the session, `quit` or the venue, ends the reading too.
        if ended.recv_timeout(Duration::from_millis(50)).is_ok() {
            break;
        }
    }
    match served.join() {
        Ok(result) => result.map_err(Exit::failed),
        Err(_) => Err(Exit::failed("the client ended by a panic; see the lines above")),
    }
}

/// Without a terminal: lines as they come.
fn read_lines(sender: &Sender<Input>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if sender.send(Input::Line(line)).is_err() {
            return;
        }
    }
    let _ = sender.send(Input::End);
}

/// Deals with lines and answers until one of both ends.
fn serve(
    mut client: TradingClient,
    lines: &Receiver<Input>,
    say: &mut impl FnMut(&str),
) -> Result<(), String> {
    loop {
        let mut is_over = None;
        while let Some(event) = client.poll() {
            is_over = is_over.or_else(|| tell(&event, say));
        }
        if let Some(why) = is_over {
            return Err(why);
        }
        let input = match lines.recv_timeout(PAUSE) {
            Ok(input) => input,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => Input::End,
        };
        let asked = match &input {
            Input::End => Ok(Asked::Quit),
            Input::Line(line) => read(line),
        };
        match asked {
            Err(error) => say(&error.to_string()),
            Ok(Asked::Quit) => {
                wait(&mut client, say)?;
                client.logout();
                return Ok(());
            }
            Ok(Asked::Wait) => wait(&mut client, say)?,
            Ok(asked) => {
                if let Err(error) = carry_out(&mut client, asked, say) {
                    say(&error.to_string());
                }
            }
        }
    }
}

/// Tells what comes until nothing has for a while.
fn wait(client: &mut TradingClient, say: &mut impl FnMut(&str)) -> Result<(), String> {
    let events: Vec<_> = client.events().collect();
    events.iter().find_map(|event| tell(event, say)).map_or(Ok(()), Err)
}

/// Tells an event; why the connection is over, if it is.
fn tell(event: &OrderEvent, say: &mut impl FnMut(&str)) -> Option<String> {
    match event {
        OrderEvent::Disconnected { why } => Some(format!("disconnected: {why}")),
        event => {
            say(&event.to_string());
            None
        }
    }
}

fn carry_out(
    client: &mut TradingClient,
    asked: Asked,
    say: &mut impl FnMut(&str),
) -> Result<(), TradingError> {
    match asked {
        Asked::Enter(order) => {
            let id = client.enter(&order)?;
            say(&format!("{id} sent"));
        }
        Asked::Cancel(id) => client.cancel(id)?,
        Asked::Replace(id, quantity, limit) => {
            let new = client.replace(id, quantity, limit)?;
            say(&format!("{new} sent, to stand in the place of {id}"));
        }
        Asked::Orders => {
            let orders = client.orders();
            if orders.is_empty() {
                say("no order is open");
            }
            for known in orders {
                let order = known.order;
                let limit = order.limit.map(|limit| PriceUnit::TEN_THOUSANDTH.decimal(limit));
                say(&format!(
                    "{} {} {} {} at {}: {} open{}",
                    known.id,
                    side(order.side),
                    order.quantity,
                    order.symbol,
                    limit.map_or("market".to_owned(), |limit| limit.to_string()),
                    known.open,
                    if known.accepted { "" } else { ", not answered yet" },
                ));
            }
        }
        Asked::Help => say(HELP),
        Asked::Nothing | Asked::Wait | Asked::Quit => {}
    }
    Ok(())
}

const fn side(side: OrderSide) -> &'static str {
    match side {
        OrderSide::Buy => "buy",
        OrderSide::Sell => "sell",
        OrderSide::SellShort => "short",
        OrderSide::SellShortExempt => "short exempt",
    }
}
