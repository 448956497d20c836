//! The requests of the measurement, as bytes: a logon, and pairs of an order that will stand and its
//! cancel.

use spindle_engine::command::OrderSide;
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::encode::{Writer, envelope};
use spindle_gateway::fix::tag;
use spindle_gateway::fix::value::Precision;
use spindle_gateway::ouch::inbound;
use spindle_gateway::soup::codec::{
    ANY_SESSION, LoginRequest, Packet, format_number, padded_right,
};
use spindle_gateway::{Clock, SystemClock};
use spindle_types::{OrderToken, Price, Quantity};
use zerocopy::{IntoBytes, U32};

use super::peer::Wire;

/// Makes the requests of one session.
pub(crate) struct Script {
    wire: Wire,
    next: u32,
    clock: SystemClock,
}

impl Script {
    /// The requests of a session that begins.
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, next: 1, clock: SystemClock::new() }
    }

    /// What comes first on a connection.
    pub(crate) fn logon(&mut self) -> Vec<u8> {
        match self.wire {
            Wire::Soup => {
                let request = LoginRequest {
                    username: padded_right("maker1").expect("short"),
                    password: padded_right("quote").expect("short"),
                    session: ANY_SESSION,
                    sequence: format_number(0),
                };
                soup(&Packet::LoginRequest(&request))
            }
            Wire::Fix => self.fix(b'A', |body, _, _| {
                body.char(tag::ENCRYPT_METHOD, b'0').uint(tag::HEART_BT_INT, 0);
                body.char(tag::RESET_SEQ_NUM_FLAG, b'Y');
                body.field(tag::USERNAME, b"maker").field(tag::PASSWORD, b"quote");
            }),
        }
    }

    /// An order far from any market, and its cancel.
    pub(crate) fn pair(&mut self) -> [Vec<u8>; 2] {
        match self.wire {
            Wire::Soup => {
                let number = OrderToken(self.next);
                self.next += 1;
                let symbol = "AAPL".parse().expect("a symbol");
                let order =
                    NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(1_000_000));
                let cancel = inbound::Cancel {
                    message_type: inbound::Cancel::TYPE,
                    user_ref_num: U32::new(number.0),
                    quantity: U32::new(0),
                };
                [
                    soup(&Packet::Unsequenced(order.message(number).as_bytes())),
                    soup(&Packet::Unsequenced(cancel.as_bytes())),
                ]
            }
            Wire::Fix => {
                let id = u64::from(self.next);
                let order = self.fix(b'D', |body, number, utc| {
                    body.uint(tag::CL_ORD_ID, number).uint(tag::ORDER_QTY, 100);
                    body.char(tag::ORD_TYPE, b'2').price(tag::PRICE, Price(1_000_000));
                    body.char(tag::SIDE, b'1').field(tag::SYMBOL, b"AAPL");
                    body.char(tag::TIME_IN_FORCE, b'0');
                    body.time(tag::TRANSACT_TIME, utc, Precision::Milliseconds);
                });
                let cancel = self.fix(b'F', |body, number, utc| {
                    body.uint(tag::CL_ORD_ID, number).uint(tag::ORIG_CL_ORD_ID, id);
                    body.char(tag::SIDE, b'1').field(tag::SYMBOL, b"AAPL");
                    body.time(tag::TRANSACT_TIME, utc, Precision::Milliseconds);
                });
                [order, cancel]
            }
        }
    }

    fn fix(&mut self, msg_type: u8, write: impl FnOnce(&mut Writer<'_>, u64, u64)) -> Vec<u8> {
        let (sequence, utc) = (u64::from(self.next), self.clock.utc_ns());
        self.next += 1;
        let (mut head, mut body, mut message) = ([0; 256], [0; 512], [0; 1_024]);
        let mut writer = Writer::new(&mut head);
        writer.char(tag::MSG_TYPE, msg_type).uint(tag::MSG_SEQ_NUM, sequence);
        writer.field(tag::SENDER_COMP_ID, b"MAKER");
        writer.time(tag::SENDING_TIME, utc, Precision::Milliseconds);
        writer.field(tag::TARGET_COMP_ID, b"SPINDLE");
        let head = writer.written().to_vec();
        let mut writer = Writer::new(&mut body);
        write(&mut writer, sequence, utc);
        let length = envelope(&mut message, b"FIX.4.4", &head, writer.written());
        message[..length.expect("short")].to_vec()
    }
}

fn soup(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = vec![0; packet.wire_length()];
    packet.write(&mut bytes).expect("the length is its own");
    bytes
}
