//! What the gateway has to say, as entries of the log.

use spindle_gateway::GatewayNotice;
use spindle_gateway::close::CloseCause;

use super::{Entry, Level};

impl From<&GatewayNotice> for Entry {
    fn from(notice: &GatewayNotice) -> Self {
        let line = notice.to_string();
        // Some lines begin with whom they are about.
        let (source, text) = match line.strip_prefix("gateway: ") {
            Some(text) => ("gateway", text.to_owned()),
            None => ("", line),
        };
        let (level, event) = kind(notice);
        let entry = Self::new(level, source, event).text(text);
        match notice {
            GatewayNotice::Connected { peer } => entry.with("peer", peer.to_string()),
            GatewayNotice::TurnedAway { peer, why } => {
                entry.with("peer", peer.to_string()).with("why", why.to_string())
            }
            GatewayNotice::AcceptFailed { error } => entry.with("error", error.to_string()),
            GatewayNotice::LoggedIn { user, peer, sequence, next_sequence } => entry
                .with("user", user.to_string())
                .with("peer", peer.to_string())
                .with("sequence", *sequence)
                .with("next_sequence", *next_sequence),
            GatewayNotice::Refused { user, peer, refusal } => entry
                .with("user", user.to_string())
                .with("peer", peer.to_string())
                .with("why", refusal.to_string()),
            GatewayNotice::Closed { user, peer, cause } => {
                let entry = entry.with("peer", peer.to_string()).with("why", cause.to_string());
                match user {
                    Some(user) => entry.with("user", user.to_string()),
                    None => entry,
                }
            }
            GatewayNotice::NotTaken { user, remark } => {
                entry.with("user", user.to_string()).with("what", remark.to_string())
            }
            GatewayNotice::StreamFull { user, bytes } => {
                entry.with("user", user.to_string()).with("bytes", *bytes)
            }
            GatewayNotice::CopyFull { user, bytes, ends } => {
                entry.with("user", user.to_string()).with("bytes", *bytes).with("ends", *ends)
            }
            GatewayNotice::Unrouted { session } => entry.with("session", session.0),
            GatewayNotice::EngineGone => entry,
        }
    }
}

/// How much a notice matters, and its name.
const fn kind(notice: &GatewayNotice) -> (Level, &'static str) {
    match notice {
        GatewayNotice::Connected { .. } => (Level::Info, "connected"),
        GatewayNotice::TurnedAway { .. } => (Level::Warn, "turned_away"),
        GatewayNotice::AcceptFailed { .. } => (Level::Error, "accept_failed"),
        GatewayNotice::LoggedIn { .. } => (Level::Info, "logged_in"),
        GatewayNotice::Refused { .. } => (Level::Warn, "login_refused"),
        GatewayNotice::Closed { cause, .. } => (level(cause), "closed"),
        GatewayNotice::NotTaken { .. } => (Level::Info, "not_taken"),
        GatewayNotice::StreamFull { .. } => (Level::Error, "stream_full"),
        GatewayNotice::CopyFull { .. } => (Level::Warn, "copy_full"),
        GatewayNotice::EngineGone => (Level::Error, "engine_gone"),
        GatewayNotice::Unrouted { .. } => (Level::Error, "unrouted"),
    }
}

const fn level(cause: &CloseCause) -> Level {
    match cause {
        CloseCause::PeerClosed | CloseCause::Logout | CloseCause::EndOfSession => Level::Info,
        CloseCause::Halted => Level::Error,
        _ => Level::Warn,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use spindle_gateway::notice::UserName;

    use super::*;

    #[test]
    fn the_line_for_people_stays_as_it_is() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 5_000));
        let user = UserName::new(b"alice");
        let notices = [
            GatewayNotice::Connected { peer },
            GatewayNotice::LoggedIn { user, peer, sequence: 4, next_sequence: 9 },
            GatewayNotice::Closed { user: Some(user), peer, cause: CloseCause::Logout },
            GatewayNotice::EngineGone,
        ];
        for notice in &notices {
            assert_eq!(Entry::from(notice).to_string(), notice.to_string());
        }
        let line = Entry::from(&notices[1]).json("now");
        let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&told["event"], &told["user"]), (&"logged_in".into(), &"alice".into()));
        assert_eq!((&told["sequence"], &told["level"]), (&4.into(), &"info".into()));
    }
}
