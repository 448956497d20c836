//! What can be set, and in which unit.

/// Currencies that a gate tells apart.
pub const CURRENCIES_MAX: usize = 4;

/// A limit that is not set.
pub const OFF: u64 = u64::MAX;

/// What can be set. Those in money come first; each of them is set for one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "docs/risk.md has one row for each name")]
pub enum Key {
    OrderValueMax,
    BoughtValueMax,
    SoldValueMax,
    GrossExposureMax,
    NetExposureMax,
    CreditMax,
    LossMax,
    OrderSizeMax,
    CollarTicks,
    CollarPercent,
    CollarMoney,
    Luld,
    RegSho,
    Locate,
    LocateShares,
    Restricted,
    MayBuy,
    MaySell,
    MayShort,
    MayShortExempt,
    OpenOrdersMax,
    PositionMax,
    BoughtQuantityMax,
    SoldQuantityMax,
    MessageRateMax,
    MessageBurst,
    OrderRateMax,
    OrderBurst,
    OrderToTradeMax,
    OrderToTradeFree,
    DuplicateMax,
    DuplicateWindowMs,
    ExecutionsMax,
    ExecutionsWindowMs,
    KillLoss,
    KillRejectsMax,
    KillRejectsWindowMs,
    KillFillsMax,
    KillFillsWindowMs,
    Reducing,
    WarnPercent,
}

/// The unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Price units times shares, as a decimal amount where people write it.
    Money,
    /// Price units, as a decimal price where people write it.
    Price,
    /// Basis points, as a percentage with at most two places where people write it.
    Percent,
    /// A whole number of shares, orders, ticks, executions, or a rate a second.
    Count,
    /// Whole milliseconds.
    Millis,
    /// On (1) or off (0).
    Flag,
}

pub(crate) const MONEY: usize = 7;
pub(crate) const COMMON: usize = Key::ALL.len() - MONEY;

impl Key {
    /// Every key.
    pub const ALL: [Self; 41] = [
        Self::OrderValueMax,
        Self::BoughtValueMax,
        Self::SoldValueMax,
        Self::GrossExposureMax,
        Self::NetExposureMax,
        Self::CreditMax,
        Self::LossMax,
        Self::OrderSizeMax,
        Self::CollarTicks,
        Self::CollarPercent,
        Self::CollarMoney,
        Self::Luld,
        Self::RegSho,
        Self::Locate,
        Self::LocateShares,
        Self::Restricted,
        Self::MayBuy,
        Self::MaySell,
        Self::MayShort,
        Self::MayShortExempt,
        Self::OpenOrdersMax,
        Self::PositionMax,
        Self::BoughtQuantityMax,
        Self::SoldQuantityMax,
        Self::MessageRateMax,
        Self::MessageBurst,
        Self::OrderRateMax,
        Self::OrderBurst,
        Self::OrderToTradeMax,
        Self::OrderToTradeFree,
        Self::DuplicateMax,
        Self::DuplicateWindowMs,
        Self::ExecutionsMax,
        Self::ExecutionsWindowMs,
        Self::KillLoss,
        Self::KillRejectsMax,
        Self::KillRejectsWindowMs,
        Self::KillFillsMax,
        Self::KillFillsWindowMs,
        Self::Reducing,
        Self::WarnPercent,
    ];

    /// The name in configurations, scripts and on the control socket.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderValueMax => "order_value_max",
            Self::BoughtValueMax => "bought_value_max",
            Self::SoldValueMax => "sold_value_max",
            Self::GrossExposureMax => "gross_exposure_max",
            Self::NetExposureMax => "net_exposure_max",
            Self::CreditMax => "credit_max",
            Self::LossMax => "loss_max",
            Self::OrderSizeMax => "order_size_max",
            Self::CollarTicks => "collar_ticks",
            Self::CollarPercent => "collar_percent",
            Self::CollarMoney => "collar_money",
            Self::Luld => "luld",
            Self::RegSho => "reg_sho",
            Self::Locate => "locate",
            Self::LocateShares => "locate_shares",
            Self::Restricted => "restricted",
            Self::MayBuy => "may_buy",
            Self::MaySell => "may_sell",
            Self::MayShort => "may_short",
            Self::MayShortExempt => "may_short_exempt",
            Self::OpenOrdersMax => "open_orders_max",
            Self::PositionMax => "position_max",
            Self::BoughtQuantityMax => "bought_quantity_max",
            Self::SoldQuantityMax => "sold_quantity_max",
            Self::MessageRateMax => "message_rate_max",
            Self::MessageBurst => "message_burst",
            Self::OrderRateMax => "order_rate_max",
            Self::OrderBurst => "order_burst",
            Self::OrderToTradeMax => "order_to_trade_max",
            Self::OrderToTradeFree => "order_to_trade_free",
            Self::DuplicateMax => "duplicate_max",
            Self::DuplicateWindowMs => "duplicate_window_ms",
            Self::ExecutionsMax => "executions_max",
            Self::ExecutionsWindowMs => "executions_window_ms",
            Self::KillLoss => "kill_loss",
            Self::KillRejectsMax => "kill_rejects_max",
            Self::KillRejectsWindowMs => "kill_rejects_window_ms",
            Self::KillFillsMax => "kill_fills_max",
            Self::KillFillsWindowMs => "kill_fills_window_ms",
            Self::Reducing => "reducing",
            Self::WarnPercent => "warn_percent",
        }
    }

    /// The key with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its place in the row of its kind: of one currency, or of those that have none.
    #[inline(always)]
    pub(crate) const fn place(self) -> usize {
        if self.is_money() { self as usize } else { self as usize - MONEY }
    }

    /// Its unit.
    pub const fn unit(self) -> Unit {
        match self {
            Self::OrderValueMax
            | Self::BoughtValueMax
            | Self::SoldValueMax
            | Self::GrossExposureMax
            | Self::NetExposureMax
            | Self::CreditMax
            | Self::LossMax => Unit::Money,
            Self::CollarMoney => Unit::Price,
            Self::CollarPercent => Unit::Percent,
            Self::Luld
            | Self::RegSho
            | Self::Locate
            | Self::Restricted
            | Self::MayBuy
            | Self::MaySell
            | Self::MayShort
            | Self::MayShortExempt
            | Self::KillLoss
            | Self::Reducing => Unit::Flag,
            Self::DuplicateWindowMs
            | Self::ExecutionsWindowMs
            | Self::KillRejectsWindowMs
            | Self::KillFillsWindowMs => Unit::Millis,
            _ => Unit::Count,
        }
    }

    /// Whether it is set for a currency.
    #[inline]
    pub const fn is_money(self) -> bool {
        (self as usize) < MONEY
    }

    /// The highest value, besides not being set: sums of what is set never leave 64 bits.
    pub const fn highest(self) -> u64 {
        match self.unit() {
            Unit::Money => u64::MAX - 1,
            Unit::Flag => 1,
            Unit::Price => (1 << 31) - 1,
            Unit::Percent | Unit::Count | Unit::Millis => match self {
                Self::DuplicateMax => 4,
                Self::WarnPercent => 100,
                Self::OpenOrdersMax
                | Self::PositionMax
                | Self::BoughtQuantityMax
                | Self::SoldQuantityMax
                | Self::LocateShares => 1 << 62,
                _ => u32::MAX as u64,
            },
        }
    }

    /// Whether it can be set for an account in one instrument.
    pub const fn is_for_instrument(self) -> bool {
        !matches!(
            self,
            Self::KillLoss
                | Self::KillRejectsMax
                | Self::KillRejectsWindowMs
                | Self::KillFillsMax
                | Self::KillFillsWindowMs
        )
    }
}
