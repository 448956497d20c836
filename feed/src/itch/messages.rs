//! The 23 messages, each laid out as on the wire.

use zerocopy::{BigEndian, FromBytes, Immutable, IntoBytes, KnownLayout, U16, U32, U64, Unaligned};

use super::DecodeError;

/// Six bytes, big-endian: nanoseconds since midnight.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct U48 {
    high: U16<BigEndian>,
    low: U32<BigEndian>,
}

impl U48 {
    /// The low 48 bits of `value`; a time of day needs 47.
    #[allow(clippy::cast_possible_truncation, reason = "the six low bytes are what is wanted")]
    pub const fn new(value: u64) -> Self {
        Self { high: U16::new((value >> 32) as u16), low: U32::new(value as u32) }
    }

    /// The value.
    #[inline]
    pub const fn get(self) -> u64 {
        ((self.high.get() as u64) << 32) | self.low.get() as u64
    }
}

/// The 11 bytes with which every message begins.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// The message type; upper and lower case differ.
    pub message_type: u8,
    /// The stock locate code of the day; 0 where no instrument applies.
    pub locate: U16<BigEndian>,
    /// A number internal to the exchange.
    pub tracking: U16<BigEndian>,
    /// Nanoseconds since midnight, US Eastern.
    pub time: U48,
}

impl Header {
    /// A header with tracking number 0.
    pub const fn new(message_type: u8, locate: u16, time: u64) -> Self {
        Self { message_type, locate: U16::new(locate), tracking: U16::new(0), time: U48::new(time) }
    }
}

type Alpha<const N: usize> = [u8; N];
type U32be = U32<BigEndian>;
type U64be = U64<BigEndian>;

macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident $code:literal $length:literal {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
            #[repr(C)]
            pub struct $name {
                /// Type, stock locate, tracking number and time.
                pub header: Header,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $name {
                /// The type byte of this message.
                pub const TYPE: u8 = $code;
                /// The length of this message in bytes.
                pub const LENGTH: usize = $length;
            }

            const _: () = assert!(size_of::<$name>() == $length);
        )*

        /// A message, as a view into the bytes it was decoded from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $( $(#[$doc])* $name(&'a $name), )*
        }

        impl<'a> Message<'a> {
            /// Decodes one message. Bytes after its known end are ignored: later editions append
            /// fields.
            ///
            /// # Errors
            /// No bytes, an unknown type, or fewer bytes than the type has.
            #[inline]
            pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
                let Some(&message_type) = bytes.first() else {
                    return Err(DecodeError::Empty);
                };
                match message_type {
                    $( $code => match $name::ref_from_prefix(bytes) {
                        Ok((message, _)) => Ok(Self::$name(message)),
                        Err(_) => Err(DecodeError::Short {
                            message_type,
                            needed: $length,
                            got: bytes.len(),
                        }),
                    }, )*
                    _ => Err(DecodeError::UnknownType(message_type)),
                }
            }

            /// The message on the wire.
            pub fn as_bytes(&self) -> &'a [u8] {
                match self {
                    $( Self::$name(message) => message.as_bytes(), )*
                }
            }

            /// The 11 bytes that all messages share.
            #[inline]
            pub fn header(&self) -> &'a Header {
                match self {
                    $( Self::$name(message) => &message.header, )*
                }
            }
        }

        /// Every type byte, in the order of the specification's summary.
        pub const MESSAGE_TYPES: &[u8] = &[$($code),*];

        /// The length in bytes that a type demands, or `None` for an unknown type.
        pub const fn length_of(message_type: u8) -> Option<usize> {
            match message_type {
                $( $code => Some($length), )*
                _ => None,
            }
        }
    };
}

impl Message<'_> {
    /// The message on the wire, in memory of its own.
    pub fn to_owned_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl StockDirectory {
    /// The directory message of an ordinary share: a common stock of the test market (authenticity T), not in the
    /// short-sale threshold list, of the first LULD tier, no fund, in round lots of 100.
    pub fn ordinary(locate: u16, time: u64, stock: Alpha<8>) -> Self {
        Self {
            header: Header::new(Self::TYPE, locate, time),
            stock,
            market_category: b'Q',
            financial_status: b'N',
            round_lot_size: 100.into(),
            round_lots_only: b'N',
            issue_classification: b'C',
            issue_sub_type: *b"Z ",
            authenticity: b'T',
            short_sale_threshold: b'N',
            ipo_flag: b'N',
            luld_tier: b'1',
            etp_flag: b'N',
            etp_leverage_factor: 0.into(),
            inverse_indicator: b'N',
        }
    }
}

messages! {
    /// `S`: an event of the whole day.
    SystemEvent b'S' 12 {
        /// O start of messages, S start of system hours, Q start of market hours, M end of market
        /// hours, E end of system hours, C end of messages.
        event_code: u8,
    }
    /// `R`: ties a locate code to a symbol for the day.
    StockDirectory b'R' 39 {
        /// Symbol.
        stock: Alpha<8>,
        /// Listing market.
        market_category: u8,
        /// Financial status of Nasdaq listings.
        financial_status: u8,
        /// Shares in a round lot.
        round_lot_size: U32be,
        /// Y where only round lots trade.
        round_lots_only: u8,
        /// Security class.
        issue_classification: u8,
        /// Security class, finer.
        issue_sub_type: Alpha<2>,
        /// P production, T test.
        authenticity: u8,
        /// Y, N or space.
        short_sale_threshold: u8,
        /// Y, N, Z or space.
        ipo_flag: u8,
        /// 1, 2 or space.
        luld_tier: u8,
        /// Y, N or space.
        etp_flag: u8,
        /// 1 is not leveraged.
        etp_leverage_factor: U32be,
        /// Y or N.
        inverse_indicator: u8,
    }
    /// `H`: trading state of an instrument on all US markets.
    StockTradingAction b'H' 25 {
        /// Symbol.
        stock: Alpha<8>,
        /// H halted, P paused, Q quotation only, T trading.
        trading_state: u8,
        /// Reserved.
        reserved: u8,
        /// Reason code.
        reason: Alpha<4>,
    }
    /// `Y`: Reg SHO short-sale price test.
    RegShoRestriction b'Y' 20 {
        /// Symbol.
        stock: Alpha<8>,
        /// 0 none, 1 restriction from an intraday drop, 2 restriction remains.
        action: u8,
    }
    /// `L`: a market participant's position in an instrument.
    MarketParticipantPosition b'L' 26 {
        /// Market participant.
        mpid: Alpha<4>,
        /// Symbol.
        stock: Alpha<8>,
        /// Y or N.
        primary_market_maker: u8,
        /// N normal, P passive, S syndicate, R pre-syndicate, L penalty.
        market_maker_mode: u8,
        /// A active, E excused, W withdrawn, S suspended, D deleted.
        participant_state: u8,
    }
    /// `V`: the day's market-wide circuit-breaker levels.
    MwcbDeclineLevel b'V' 35 {
        /// Level 1, in 1/100,000,000.
        level_1: U64be,
        /// Level 2.
        level_2: U64be,
        /// Level 3.
        level_3: U64be,
    }
    /// `W`: a circuit-breaker level was breached.
    MwcbStatus b'W' 12 {
        /// ASCII 1, 2 or 3.
        breached_level: u8,
    }
    /// `K`: quotation release of an IPO.
    IpoQuotingPeriodUpdate b'K' 28 {
        /// Symbol.
        stock: Alpha<8>,
        /// Seconds since midnight; 0 when cancelled.
        release_time: U32be,
        /// A anticipated, C cancelled or postponed.
        release_qualifier: u8,
        /// IPO price; 0 when cancelled.
        price: U32be,
    }
    /// `J`: the collars of a reopening auction after a volatility pause.
    LuldAuctionCollar b'J' 35 {
        /// Symbol.
        stock: Alpha<8>,
        /// Reference price.
        reference_price: U32be,
        /// Upper collar.
        upper_price: U32be,
        /// Lower collar.
        lower_price: U32be,
        /// Number of extensions so far.
        extension: U32be,
    }
    /// `h`: an operational halt of one market centre.
    OperationalHalt b'h' 21 {
        /// Symbol.
        stock: Alpha<8>,
        /// Q Nasdaq, B BX, X PSX.
        market_code: u8,
        /// H halted, T lifted.
        action: u8,
    }
    /// `A`: a displayed order without attribution.
    AddOrder b'A' 36 {
        /// New order reference.
        reference: U64be,
        /// B or S.
        side: u8,
        /// Displayed shares.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Displayed price.
        price: U32be,
    }
    /// `F`: a displayed order with attribution.
    AddOrderMpid b'F' 40 {
        /// New order reference.
        reference: U64be,
        /// B or S.
        side: u8,
        /// Displayed shares.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Displayed price.
        price: U32be,
        /// Market participant.
        attribution: Alpha<4>,
    }
    /// `E`: an execution at the order's own price.
    OrderExecuted b'E' 31 {
        /// The order.
        reference: U64be,
        /// Shares executed now.
        shares: U32be,
        /// Match number.
        match_number: U64be,
    }
    /// `C`: an execution at another price than the order's.
    OrderExecutedWithPrice b'C' 36 {
        /// The order.
        reference: U64be,
        /// Shares executed now.
        shares: U32be,
        /// Match number.
        match_number: U64be,
        /// Y counts as volume; N comes again inside a cross.
        printable: u8,
        /// Trade price; not a new price of the order.
        price: U32be,
    }
    /// `X`: part of an order is cancelled; it keeps its place.
    OrderCancel b'X' 23 {
        /// The order.
        reference: U64be,
        /// Shares taken off.
        shares: U32be,
    }
    /// `D`: the rest of an order is cancelled.
    OrderDelete b'D' 19 {
        /// The order.
        reference: U64be,
    }
    /// `U`: an order is replaced; the new one stands at the back of its level.
    OrderReplace b'U' 35 {
        /// The order that goes.
        reference: U64be,
        /// The order that comes, on the same side.
        new_reference: U64be,
        /// Displayed shares of the new order.
        shares: U32be,
        /// Displayed price of the new order.
        price: U32be,
    }
    /// `P`: an execution against a hidden order.
    Trade b'P' 44 {
        /// Always 0 since 2010.
        reference: U64be,
        /// Always B since 2014.
        side: u8,
        /// Shares.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Price.
        price: U32be,
        /// Match number.
        match_number: U64be,
    }
    /// `Q`: the bulk print of a cross.
    CrossTrade b'Q' 40 {
        /// Shares; may be 0.
        shares: U64be,
        /// Symbol.
        stock: Alpha<8>,
        /// Cross price.
        price: U32be,
        /// Match number.
        match_number: U64be,
        /// O opening, C closing, H halt or IPO.
        cross_type: u8,
    }
    /// `B`: an earlier execution is broken.
    BrokenTrade b'B' 19 {
        /// Match number of that execution.
        match_number: U64be,
    }
    /// `I`: net order imbalance before a cross.
    NetOrderImbalance b'I' 50 {
        /// Shares that would pair.
        paired_shares: U64be,
        /// Shares that would not.
        imbalance_shares: U64be,
        /// B, S, N, O or P.
        imbalance_direction: u8,
        /// Symbol.
        stock: Alpha<8>,
        /// Far price.
        far_price: U32be,
        /// Near price.
        near_price: U32be,
        /// Current reference price.
        reference_price: U32be,
        /// O, C, H or A.
        cross_type: u8,
        /// Deviation of the near price from the reference price.
        price_variation: u8,
    }
    /// `N`: retail price improvement interest.
    RetailInterest b'N' 20 {
        /// Symbol.
        stock: Alpha<8>,
        /// B, S, A both or N none.
        interest_flag: u8,
    }
    /// `O`: price discovery of a direct listing with capital raise.
    DirectListing b'O' 48 {
        /// Symbol.
        stock: Alpha<8>,
        /// Y or N.
        open_eligibility: u8,
        /// Lowest price at which it may open.
        minimum_price: U32be,
        /// Highest price at which it may open.
        maximum_price: U32be,
        /// Near execution price.
        near_price: U32be,
        /// Near execution time.
        near_time: U64be,
        /// Lower collar.
        lower_collar: U32be,
        /// Upper collar.
        upper_collar: U32be,
    }
}
