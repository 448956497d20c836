//! What a configuration says of the venue's own feed.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use spindle_feed::moldudp64::Session;

use super::{Checker, ConfigError};

/// `[publish]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishTable {
    to: Vec<String>,
    interface: Option<String>,
    requests: Option<String>,
    session: Option<String>,
    #[serde(default = "store_mib")]
    store_mib: usize,
}

const fn store_mib() -> usize {
    256
}

/// Most MiB of messages that are kept.
const STORE_MIB_MAX: usize = 65_536;

/// The venue's own feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishConfig {
    /// One line or two that carry the same stream: groups, or receivers.
    pub to: Vec<SocketAddr>,
    /// The local address of the interface to send through; without one, IPv4 groups go through loopback.
    pub interface: Option<IpAddr>,
    /// Where requests for missed messages are answered, if they are.
    pub requests: Option<SocketAddr>,
    /// The MoldUDP64 session.
    pub session: Session,
    /// Bytes of the day's messages that are kept for who asks; the oldest go first.
    pub keep_bytes: usize,
}

impl Checker<'_> {
    pub(super) fn publish(
        &self,
        table: &PublishTable,
        name: &str,
    ) -> Result<PublishConfig, ConfigError> {
        if table.to.is_empty() || table.to.len() > 2 {
            let message = format!("{} addresses; give one or two", table.to.len());
            return Err(self.wrong("[publish] to", message));
        }
        let to = table.to.iter().map(|text| self.address(text, "[publish] to"));
        let interface = table.interface.as_ref().map(|text| {
            text.parse().map_err(|_| {
                let place = "[publish] interface";
                self.wrong(place, format!("'{text}' is no address; give one such as 10.0.0.1"))
            })
        });
        let requests = table.requests.as_ref();
        let requests = requests.map(|text| self.address(text, "[publish] requests")).transpose()?;
        let session = table.session.as_deref().unwrap_or(name);
        let session = self.text(session, 10, "[publish] session")?;
        let mut bytes = [b' '; 10];
        bytes[..session.len()].copy_from_slice(session.as_bytes());
        if table.store_mib < 2 || table.store_mib > STORE_MIB_MAX {
            let message = format!("give a number from 2 to {STORE_MIB_MAX}");
            return Err(self.wrong("[publish] store_mib", message));
        }
        Ok(PublishConfig {
            to: to.collect::<Result<_, _>>()?,
            interface: interface.transpose()?,
            requests,
            session: bytes,
            keep_bytes: table.store_mib << 20,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigError};

    const VENUE: &str = "[venue]\nname = \"SPINDLE\"\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
        [[instrument]]\nsymbol = \"AAA\"\n[[account]]\nname = \"A\"\norder_size_max = 1\n\
        order_value_max = \"1\"\ncollar_percent = \"1\"\nopen_orders_max = 1\n[[session]]\n\
        user = \"a\"\npassword = \"b\"\naccount = \"A\"\n";

    fn parse(publish: &str) -> Result<Config, ConfigError> {
        Config::parse(&format!("{VENUE}[publish]\n{publish}"), "venue.toml")
    }

    #[test]
    fn a_feed_of_the_venues_own_is_read() {
        let text = "to = [\"239.1.1.3:1\", \"127.0.0.1:2\"]\nrequests = \"127.0.0.1:0\"\n\
            interface = \"127.0.0.1\"\nstore_mib = 4\n";
        let publish = parse(text).expect("a configuration").publish.expect("a feed");
        assert_eq!((publish.to.len(), publish.keep_bytes), (2, 4 << 20));
        assert_eq!(&publish.session, b"SPINDLE   ");
        assert!(publish.requests.is_some() && publish.interface.is_some());
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (text, expected) in [
            ("to = []", "[publish] to: 0 addresses"),
            ("to = ['x']", "[publish] to: 'x' is no address"),
            ("to = ['127.0.0.1:1']\ninterface = 'lo'", "[publish] interface: 'lo' is no address"),
            ("to = ['127.0.0.1:1']\nrequests = 'x'", "[publish] requests: 'x' is no address"),
            ("to = ['127.0.0.1:1']\nsession = ''", "[publish] session: give 1 to 10"),
            ("to = ['127.0.0.1:1']\nstore_mib = 1", "[publish] store_mib: give a number from 2"),
            ("to = ['127.0.0.1:1']\nkeep = 1", "unknown field `keep`"),
        ] {
            let complaint = parse(text).expect_err("a complaint").to_string();
            assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
            assert!(!complaint.contains('\n'), "{complaint:?}");
        }
    }
}
