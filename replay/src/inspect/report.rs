use serde::Serialize;

/// What is in a recording.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Inspection {
    /// The format's short name.
    pub format: &'static str,
    /// The format in words.
    pub description: String,
    /// What the file is compressed with, the outermost first.
    pub compression: Vec<&'static str>,
    /// Bytes of the file as it lies there.
    pub bytes: u64,
    /// Bytes that a compressed file unpacks to.
    pub unpacked_bytes: Option<u64>,
    /// Whether its messages can be decoded here, so that books can be built from them.
    pub decoded: bool,
    /// What has to be said about the file, for example why it is not decoded.
    pub remark: Option<String>,
    /// Records, broken ones included. Of a capture, the messages of its decoded groups.
    pub messages: u64,
    /// Records by type, the most frequent first.
    pub types: Vec<TypeCount>,
    /// Instruments.
    pub instruments: Instruments,
    /// Time inside the first record, where there is one: time of day, or date and time (UTC).
    pub first_time: Option<String>,
    /// Time inside the last record.
    pub last_time: Option<String>,
    /// What else the file says about itself.
    pub facts: Vec<Fact>,
    /// Of a packet capture, what was captured.
    pub capture: Option<CaptureReport>,
    /// What is broken, each kind once; empty for a sound recording.
    pub faults: Vec<Fault>,
}

impl Inspection {
    /// Whether nothing is broken.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What is known of instruments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Instruments {
    /// Entries of the stock directory.
    pub directory_entries: u64,
    /// Distinct instrument numbers; of ITCH, stock locate codes other than 0.
    pub numbers: u64,
    /// Distinct symbols that records name.
    pub symbols: u64,
}

/// How often a type of record occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeCount {
    /// The type byte; `0x07` where it is not printable.
    #[serde(rename = "type")]
    pub code: String,
    /// What the type is called; empty where the protocol is not decoded.
    pub name: &'static str,
    /// Records of the type.
    pub count: u64,
}

/// Something that a file says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// What a packet capture holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaptureReport {
    /// How fine its times are, in words.
    pub resolution: &'static str,
    /// Frames in all.
    pub frames: u64,
    /// Frames with a UDP datagram.
    pub udp: u64,
    /// Frames with a TCP segment.
    pub tcp: u64,
    /// Frames with neither.
    pub other: u64,
    /// Frames with a part of an IP packet, which is not put together.
    pub fragments: u64,
    /// Frames with VLAN tags.
    pub vlan_tagged: u64,
    /// Frames of which the capture holds only the beginning.
    pub cut: u64,
    /// When the first frame was captured (UTC).
    pub first_time: Option<String>,
    /// When the last frame was captured.
    pub last_time: Option<String>,
    /// Where packets went, in the order of their first.
    pub groups: Vec<GroupReport>,
    /// Frames to further addresses, when there are more than 1,000.
    pub ungrouped: u64,
}

/// One destination of packets: a multicast group or a receiver, with its port.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GroupReport {
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Address and port.
    pub address: String,
    /// Packets.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// When the first was captured (UTC).
    pub first_time: Option<String>,
    /// When the last was captured.
    pub last_time: Option<String>,
    /// The protocol in words.
    pub protocol: String,
    /// Whether its messages are decoded.
    pub decoded: bool,
    /// Messages, where the protocol tells without being decoded; of SoupBinTCP its packets.
    pub messages: Option<u64>,
    /// Packets without messages: heartbeats and ends of session.
    pub idle_packets: u64,
    /// The MoldUDP64 sessions, up to 8.
    pub sessions: Vec<String>,
    /// Number of the first message.
    pub first_sequence: Option<u64>,
    /// Number of the last message.
    pub last_sequence: Option<u64>,
    /// Times that the numbers jumped, forward or back.
    pub sequence_breaks: u64,
    /// Messages by type.
    pub types: Vec<TypeCount>,
    /// Instruments.
    pub instruments: Instruments,
    /// Time inside the first message.
    pub first_message_time: Option<String>,
    /// Time inside the last message.
    pub last_message_time: Option<String>,
}

/// What can be wrong in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A message type that this edition of the protocol does not know.
    UnknownType,
    /// A message shorter than its type demands.
    ShortMessage,
    /// The file ends inside a record.
    Truncated,
    /// The first length prefix is 0.
    ZeroPrefix,
    /// Data behind the record that ends the recording.
    AfterEnd,
    /// A packet of a decoded group that is no packet of its protocol.
    MalformedPacket,
    /// A packet of a decoded group of which the capture holds only the beginning.
    CutPacket,
    /// A row of a text that is not as its format demands.
    MalformedRow,
    /// A record that is broken, so that nothing behind it can be read.
    Damaged,
    /// The file could not be read further.
    Unreadable,
}

/// Something broken: how often, and where first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How often.
    pub count: u64,
    /// The byte at which the first such record begins: of the file, or of what it unpacks to.
    pub first_byte: u64,
    /// The number of the first such record, from 1.
    pub first_record: u64,
    /// The first one in words.
    pub first: String,
}
