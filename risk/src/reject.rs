/// The checks of the gate, in their order of precedence: the first that fails is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Check {
    /// The account is in the gate's table.
    Account = 0,
    /// Shares of one order.
    OrderSize = 1,
    /// Price times quantity of one order.
    OrderValue = 2,
    /// Distance of the price from the top of book.
    Collar = 3,
    /// Orders of the account that are open at once.
    OpenOrders = 4,
}

impl Check {
    /// Every check, in order of precedence.
    pub const ALL: [Self; 5] =
        [Self::Account, Self::OrderSize, Self::OrderValue, Self::Collar, Self::OpenOrders];

    /// The name in scripts, logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::OrderSize => "order_size",
            Self::OrderValue => "order_value",
            Self::Collar => "collar",
            Self::OpenOrders => "open_orders",
        }
    }
}

/// Why the gate refused an order: which check, what it allows and what it saw.
///
/// `limit` and `observed` are in the check's own unit: shares, price units times shares, price
/// units, orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The check that failed.
    pub check: Check,
    /// What it allows.
    pub limit: u64,
    /// What it saw.
    pub observed: u64,
}
