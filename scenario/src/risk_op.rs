//! What a scenario asks of the risk gate.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use spindle_risk::{Key, Unit};

use crate::decimal::Amount;

/// Whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Everybody.
    All,
    /// An account.
    Account(String),
    /// A session.
    Session(String),
    /// A firm.
    Firm(String),
}

/// Sets limits. Those that are not named stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Whose; not everybody's.
    pub owner: Owner,
    /// In which instrument alone, of an account.
    pub symbol: Option<String>,
    /// Of which currency those in money are; the first where none is given.
    pub currency: Option<String>,
    /// The limits in their units; `None` takes one away.
    pub values: Vec<(Key, Option<u64>)>,
}

/// Says what is known of an instrument beside its book. Replaces all that was said before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Which.
    pub symbol: String,
    /// A price to go by where there is neither book nor trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// The lower end of its band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Amount>,
    /// The upper end of its band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<Amount>,
    /// Nobody may trade it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
    /// The price test for short sales is in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub price_test: bool,
}

/// Stops somebody, everybody where nobody is named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// An account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A firm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firm: Option<String>,
}

/// Lets somebody go on, everybody where nobody is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// An account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A firm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firm: Option<String>,
    /// Why that is right: needed, and not empty.
    pub cause: String,
}

fn owner(
    account: &Option<String>,
    session: &Option<String>,
    firm: &Option<String>,
) -> Result<Owner, String> {
    let names = [("account", account), ("session", session), ("firm", firm)];
    let mut given = names.into_iter().filter_map(|(field, name)| Some((field, name.as_ref()?)));
    let owner = match given.next() {
        None => Owner::All,
        Some(("account", name)) => Owner::Account(name.clone()),
        Some(("session", name)) => Owner::Session(name.clone()),
        Some((_, name)) => Owner::Firm(name.clone()),
    };
    match given.next() {
        None => Ok(owner),
        Some((field, _)) => Err(format!("{field}: give one of account, session and firm")),
    }
}

impl Kill {
    /// Whom.
    ///
    /// # Errors
    /// More than one is named.
    pub fn owner(&self) -> Result<Owner, String> {
        owner(&self.account, &self.session, &self.firm)
    }
}

impl Arm {
    /// Whom.
    ///
    /// # Errors
    /// More than one is named, or no cause.
    pub fn owner(&self) -> Result<Owner, String> {
        if self.cause.trim().is_empty() {
            return Err("cause: say why it may go on".into());
        }
        owner(&self.account, &self.session, &self.firm)
    }
}

/// A name, written as text or as a number.
fn name(fields: &mut Map<String, Value>, field: &str) -> Result<Option<String>, String> {
    match fields.remove(field) {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{field}: give a name")),
    }
}

/// A limit as it is written, in its unit.
///
/// # Errors
/// What would be right, where it is not of the limit's unit.
pub fn value_of(key: Key, value: &Value) -> Result<u64, String> {
    let wrong = |what: &str| format!("{}: {what}", key.name());
    let decimal = || {
        let amount: Amount = serde_json::from_value(value.clone())
            .map_err(|_| wrong("give a decimal number in quotes such as \"10.00\""))?;
        match u64::try_from(amount.units) {
            Ok(units) if amount.exact => Ok(units),
            Ok(_) => Err(wrong("give at most four decimal places")),
            Err(_) => Err(wrong("it is negative; give at least 0")),
        }
    };
    let value = match key.unit() {
        Unit::Money | Unit::Price => decimal()?,
        Unit::Percent => match decimal()? {
            units if units % 100 == 0 => units / 100,
            _ => return Err(wrong("give at most two decimal places")),
        },
        Unit::Count | Unit::Millis => {
            value.as_u64().ok_or_else(|| wrong("give a whole number of at least 0"))?
        }
        Unit::Flag => value.as_bool().map(u64::from).ok_or_else(|| wrong("give true or false"))?,
    };
    if value > key.highest() {
        return Err(wrong(&format!("give at most {}", written(key, key.highest()))));
    }
    Ok(value)
}

/// A limit as it is written.
pub fn written(key: Key, value: u64) -> Value {
    let amount = |units: u64| {
        Value::String(Amount::new(i64::try_from(units).unwrap_or(i64::MAX)).to_string())
    };
    match key.unit() {
        Unit::Money | Unit::Price => amount(value),
        Unit::Percent => amount(value.saturating_mul(100)),
        Unit::Count | Unit::Millis => value.into(),
        Unit::Flag => (value == 1).into(),
    }
}

impl Limits {
    /// Reads the fields of the operation.
    ///
    /// # Errors
    /// The first field that is wrong or missing.
    pub fn read(mut fields: Map<String, Value>) -> Result<Self, String> {
        let account = name(&mut fields, "account")?;
        let session = name(&mut fields, "session")?;
        let firm = name(&mut fields, "firm")?;
        let owner = owner(&account, &session, &firm)?;
        if owner == Owner::All {
            return Err("missing field `account`: limits are those of an account, a session or a \
                        firm"
                .into());
        }
        let symbol = name(&mut fields, "symbol")?;
        if symbol.is_some() && account.is_none() {
            return Err("symbol: only an account has limits in one instrument".into());
        }
        let currency = name(&mut fields, "currency")?;
        let mut values = Vec::new();
        for (field, value) in &fields {
            let key = Key::named(field).ok_or_else(|| format!("unknown field `{field}`"))?;
            let value = if value.is_null() { None } else { Some(value_of(key, value)?) };
            values.push((key, value));
        }
        values.sort_by_key(|&(key, _)| key);
        Ok(Self { owner, symbol, currency, values })
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.owner {
            Owner::All => {}
            Owner::Account(name) => map.serialize_entry("account", name)?,
            Owner::Session(name) => map.serialize_entry("session", name)?,
            Owner::Firm(name) => map.serialize_entry("firm", name)?,
        }
        if let Some(symbol) = &self.symbol {
            map.serialize_entry("symbol", symbol)?;
        }
        if let Some(currency) = &self.currency {
            map.serialize_entry("currency", currency)?;
        }
        for &(key, value) in &self.values {
            map.serialize_entry(key.name(), &value.map(|value| written(key, value)))?;
        }
        map.end()
    }
}
