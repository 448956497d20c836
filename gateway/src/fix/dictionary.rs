//! What the standard says of tags and messages, in compact tables: which tags there are, what form
//! and values they have, and which may or must stand in the messages that the venue takes.
//!
//! Of messages that the venue does not take only the type is known; they are answered with "unsupported".

/// A version of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// FIX 4.2.
    Fix42,
    /// FIX 4.4.
    Fix44,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fix42, Self::Fix44];

    /// BeginString.
    #[inline]
    pub const fn begin_string(self) -> &'static [u8] {
        match self {
            Self::Fix42 => b"FIX.4.2",
            Self::Fix44 => b"FIX.4.4",
        }
    }

    /// The number in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fix42 => "4.2",
            Self::Fix44 => "4.4",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Fix42 => 1,
            Self::Fix44 => 2,
        }
    }
}

/// Inclusive ranges of tags, ascending.
type Ranges = &'static [(u16, u16)];

#[inline]
fn within(ranges: Ranges, tag: u16) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= tag);
    after > 0 && tag <= ranges[after - 1].1
}

/// Where a tag stands in every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the body.
    Header,
    /// The message's own.
    Body,
    /// After the body.
    Trailer,
}

/// The part of a message that a tag belongs to.
#[inline]
pub fn part(version: Version, tag: i32) -> Part {
    match tag {
        8
        | 9
        | 34
        | 35
        | 43
        | 49
        | 50
        | 52
        | 56
        | 57
        | 90
        | 91
        | 97
        | 115
        | 116
        | 122
        | 128
        | 129
        | 142..=145
        | 212
        | 213
        | 347
        | 369 => Part::Header,
        370 if version == Version::Fix42 => Part::Header,
        627..=630 if version == Version::Fix44 => Part::Header,
        10 | 89 | 93 => Part::Trailer,
        _ => Part::Body,
    }
}

/// The tags that every header must have, besides the first three.
pub const HEADER_REQUIRED: [u16; 4] = [49, 56, 34, 52];

/// Whether the version has this tag.
#[inline]
pub fn is_tag(version: Version, tag: i32) -> bool {
    let ranges = match version {
        Version::Fix42 => TAGS_42,
        Version::Fix44 => TAGS_44,
    };
    u16::try_from(tag).is_ok_and(|tag| within(ranges, tag))
}

const TAGS_42: Ranges = &[(1, 100), (102, 219), (223, 223), (231, 231), (262, 446)];

const TAGS_44: Ranges = &[
    (1, 19),
    (21, 23),
    (25, 45),
    (48, 50),
    (52, 75),
    (77, 85),
    (87, 91),
    (93, 100),
    (102, 104),
    (106, 108),
    (110, 124),
    (126, 165),
    (167, 172),
    (188, 203),
    (206, 218),
    (220, 260),
    (262, 313),
    (315, 318),
    (320, 369),
    (371, 438),
    (441, 448),
    (451, 464),
    (466, 652),
    (654, 684),
    (686, 808),
    (810, 830),
    (832, 956),
];

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Text,
    /// A whole number, which may be negative.
    Int,
    /// A whole number, not negative.
    Number,
    /// A decimal number.
    Decimal,
    /// One character.
    Char,
    /// Y or N.
    Boolean,
    /// Date and time.
    Timestamp,
    /// A date.
    Date,
}

/// The form of a tag's values. Text for tags that stand in no message that the venue takes.
#[inline]
pub const fn kind(version: Version, tag: i32) -> Kind {
    match (version, tag) {
        (
            _,
            7 | 9 | 16 | 34 | 36 | 45 | 90 | 93 | 95 | 212 | 348 | 350 | 354 | 362 | 364 | 369
            | 383 | 789,
        ) => Kind::Number,
        (
            _,
            78
            | 98
            | 102
            | 103
            | 108
            | 201
            | 203
            | 371
            | 373
            | 378
            | 380
            | 384
            | 386
            | 427
            | 452
            | 453
            | 454
            | 457
            | 460
            | 462
            | 538
            | 539
            | 581
            | 582
            | 661
            | 698
            | 711
            | 775
            | 788
            | 802..=805
            | 835..=838
            | 840..=844
            | 846
            | 847
            | 854
            | 864
            | 865
            | 887
            | 919,
        )
        | (Version::Fix42, 146 | 204 | 393) => Kind::Int,
        (
            _,
            6
            | 12
            | 14
            | 31
            | 32
            | 38
            | 44
            | 80
            | 99
            | 110
            | 111
            | 140
            | 151
            | 152
            | 192
            | 202
            | 210
            | 211
            | 218
            | 223
            | 231
            | 316
            | 389
            | 435
            | 436
            | 640
            | 697
            | 810
            | 839
            | 845
            | 849
            | 850
            | 879
            | 882..=886
            | 898,
        ) => Kind::Decimal,
        (
            _,
            13 | 21 | 40 | 47 | 54 | 59 | 63 | 77 | 81 | 206 | 388 | 434 | 528 | 530 | 531 | 544,
        ) => Kind::Char,
        (_, 43 | 97 | 114 | 121 | 123 | 141 | 377 | 464) => Kind::Boolean,
        (_, 42 | 52 | 60 | 62 | 122 | 126 | 168 | 370 | 483 | 629) => Kind::Timestamp,
        (_, 64 | 75 | 193 | 229 | 432) => Kind::Date,
        _ => Kind::Text,
    }
}

/// The values that a tag can have, each character one of them; `None` where any is good.
#[inline]
pub const fn characters(version: Version, tag: i32) -> Option<&'static [u8]> {
    let fix42 = matches!(version, Version::Fix42);
    Some(match tag {
        13 if fix42 => b"123",
        13 => b"123456",
        21 => b"123",
        22 if fix42 => b"123456789",
        22 => b"123456789ABCDEFGHIJ",
        40 if fix42 => b"123456789ABCDEFGHIP",
        40 => b"12346789DEGIJKLMP",
        47 if fix42 => b"ABCDEFHIJKLMNOPRSTUWXYZ",
        54 if fix42 => b"123456789",
        54 => b"123456789ABCDEFG",
        59 if fix42 => b"0123456",
        59 => b"01234567",
        63 => b"0123456789",
        77 if fix42 => b"OC",
        77 => b"OCRF",
        81 => b"0123456",
        98 => b"0123456",
        201 | 203 => b"01",
        204 if fix42 => b"01",
        388 => b"01234567",
        427 => b"012",
        434 => b"12",
        528 => b"AGIPRW",
        530 => b"1234567",
        544 => b"123",
        _ => return None,
    })
}

/// The instruction codes of tag 18, of which a value lists several.
pub const fn instructions(version: Version) -> &'static [u8] {
    match version {
        Version::Fix42 => b"0123456789ABCDEFGILMNOPRSTUVW",
        Version::Fix44 => b"0123456789ABCDEFGHIJKLMNOPQRSUVWXYZabcde",
    }
}

/// Whether a security type is one of the version's.
pub fn is_security_type(version: Version, value: &[u8]) -> bool {
    let types = match version {
        Version::Fix42 => SECURITY_TYPES_42,
        Version::Fix44 => SECURITY_TYPES_44,
    };
    std::str::from_utf8(value).is_ok_and(|value| types.split(' ').any(|each| each == value))
}

const SECURITY_TYPES_42: &str = "? BA CB CD CMO CORP CP CPP CS FHA FHL FN FOR FUT GN GOVT IET MF MIO \
    MPO MPP MPT MUNI NONE OPT PS RP RVRP SL TD USTB WAR ZOO";

const SECURITY_TYPES_44: &str = "EUSUPRA FAC FADN PEF SUPRA CORP CPP CB DUAL EUCORP XLINKD STRUCT YANK \
    FOR CS PS BRADY EUSOV TBOND TINT TIPS TCAL TPRN UST USTB TNOTE TBILL REPO FORWARD BUYSELL \
    SECLOAN SECPLEDGE TERM RVLV RVLVTRM BRIDGE LOFC SWING DINP DEFLTED WITHDRN REPLACD MATURED \
    AMENDED RETIRED BA BN BOX CD CL CP DN EUCD EUCP LQN MTN ONITE PN PZFJ STN TD XCN YCD ABS CMBS \
    CMO IET MBS MIO MPO MPP MPT PFAND TBA AN COFO COFP GO MT RAN REV SPCLA SPCLO SPCLT TAN TAXA TECP \
    TRAN VRDN WAR MF MLEG NONE FUT OPT";

/// Whether the version has this message type.
#[inline]
pub fn is_msg_type(version: Version, msg_type: &[u8]) -> bool {
    match msg_type {
        [b'0'..=b'9' | b'A'..=b'H' | b'J'..=b'N' | b'P'..=b'T' | b'V'..=b'Z' | b'a'..=b'm'] => true,
        [b'n'..=b'z'] | [b'A', b'A'..=b'Z'] | [b'B', b'A'..=b'H'] => version == Version::Fix44,
        _ => false,
    }
}

/// What may and must stand in the body of a message.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// Tags that must be there, in the order in which they are asked for.
    pub required: &'static [u16],
    versions: u8,
    sets: &'static [Ranges],
}

impl Body {
    /// Whether the tag may stand in it.
    #[inline]
    pub fn allows(&self, tag: u16) -> bool {
        self.sets.iter().any(|ranges| within(ranges, tag))
    }
}

/// The body of a message type; `None` for those that the venue does not take.
#[inline]
pub fn body(version: Version, msg_type: &[u8]) -> Option<&'static Body> {
    let &[letter] = msg_type else { return None };
    let found =
        BODIES.iter().find(|(each, body)| *each == letter && body.versions & version.bit() != 0);
    found.map(|(_, body)| body)
}

const BOTH: u8 = 3;
const ONLY_42: u8 = 1;
const ONLY_44: u8 = 2;

const BODIES: &[(u8, Body)] = &[
    (b'0', Body { versions: BOTH, required: &[], sets: &[&[(112, 112)]] }),
    (b'1', Body { versions: BOTH, required: &[112], sets: &[&[(112, 112)]] }),
    (b'2', Body { versions: BOTH, required: &[7, 16], sets: &[&[(7, 7), (16, 16)]] }),
    (b'3', Body { versions: BOTH, required: &[45], sets: &[REJECT] }),
    (b'4', Body { versions: BOTH, required: &[36], sets: &[&[(36, 36), (123, 123)]] }),
    (b'5', Body { versions: BOTH, required: &[], sets: &[TEXT] }),
    (b'A', Body { versions: ONLY_42, required: &[98, 108], sets: &[LOGON] }),
    (b'A', Body { versions: ONLY_44, required: &[98, 108], sets: &[LOGON, LOGON_44] }),
    (
        b'D',
        Body {
            versions: ONLY_42,
            required: &[11, 21, 55, 54, 60, 40],
            sets: &[
                TEXT,
                INSTRUMENT_42,
                TERMS_42,
                &[(23, 23), (81, 81), (114, 114), (117, 117), (140, 140)],
            ],
        },
    ),
    (
        b'G',
        Body {
            versions: ONLY_42,
            required: &[41, 11, 21, 55, 54, 60, 40],
            sets: &[TEXT, INSTRUMENT_42, TERMS_42, &[(37, 37), (41, 41), (66, 66), (114, 114)]],
        },
    ),
    (
        b'F',
        Body {
            versions: ONLY_42,
            required: &[41, 11, 55, 54, 60],
            sets: &[TEXT, INSTRUMENT_42, CANCEL_42],
        },
    ),
    (b'H', Body { versions: ONLY_42, required: &[11, 55, 54], sets: &[INSTRUMENT_42, STATUS_42] }),
    (
        b'D',
        Body {
            versions: ONLY_44,
            required: &[11, 55, 54, 60, 40],
            sets: &[
                TEXT,
                INSTRUMENT_44,
                UNDERLYING_44,
                PARTIES_44,
                TERMS_44,
                &[
                    (23, 23),
                    (64, 64),
                    (81, 81),
                    (114, 114),
                    (117, 117),
                    (140, 140),
                    (229, 229),
                    (232, 236),
                ],
                FINANCING_44,
                &[(494, 494), (696, 698), (701, 701), (775, 775)],
            ],
        },
    ),
    (
        b'G',
        Body {
            versions: ONLY_44,
            required: &[41, 11, 55, 54, 60, 40],
            sets: &[
                TEXT,
                INSTRUMENT_44,
                UNDERLYING_44,
                PARTIES_44,
                TERMS_44,
                &[(37, 37), (41, 41), (64, 64), (66, 66), (114, 114), (229, 229), (235, 236)],
                FINANCING_44,
                &[(494, 494), (586, 586), (696, 698), (701, 701), (775, 775)],
            ],
        },
    ),
    (
        b'F',
        Body {
            versions: ONLY_44,
            required: &[41, 11, 55, 54, 60],
            sets: &[TEXT, INSTRUMENT_44, UNDERLYING_44, FINANCING_44, PARTIES_44, CANCEL_44],
        },
    ),
    (
        b'H',
        Body {
            versions: ONLY_44,
            required: &[11, 55, 54],
            sets: &[INSTRUMENT_44, UNDERLYING_44, FINANCING_44, PARTIES_44, STATUS_44],
        },
    ),
    (
        b'q',
        Body {
            versions: ONLY_44,
            required: &[11, 530, 60],
            sets: &[TEXT, INSTRUMENT_44, UNDERLYING_44, MASS_CANCEL_44],
        },
    ),
];

const TEXT: Ranges = &[(58, 58), (354, 355)];
const REJECT: Ranges = &[(45, 45), (58, 58), (354, 355), (371, 373)];
const LOGON: Ranges = &[(95, 96), (98, 98), (108, 108), (141, 141), (372, 372), (383, 385)];
const LOGON_44: Ranges = &[(464, 464), (553, 554), (789, 789)];

const INSTRUMENT_42: Ranges = &[
    (22, 22),
    (48, 48),
    (54, 55),
    (65, 65),
    (106, 107),
    (167, 167),
    (200, 202),
    (205, 207),
    (223, 223),
    (231, 231),
    (348, 351),
];

/// What new orders and replacements of 4.2 have in common.
const TERMS_42: Ranges = &[
    (1, 1),
    (11, 13),
    (15, 15),
    (18, 18),
    (21, 21),
    (38, 38),
    (40, 40),
    (44, 44),
    (47, 47),
    (59, 60),
    (63, 64),
    (76, 80),
    (99, 100),
    (109, 111),
    (120, 121),
    (126, 126),
    (152, 152),
    (168, 168),
    (192, 193),
    (203, 204),
    (210, 211),
    (336, 336),
    (376, 377),
    (386, 386),
    (388, 389),
    (427, 427),
    (432, 432),
    (439, 440),
];

const CANCEL_42: Ranges = &[
    (1, 1),
    (11, 11),
    (37, 38),
    (41, 41),
    (60, 60),
    (66, 66),
    (76, 76),
    (109, 109),
    (152, 152),
    (376, 377),
];

const STATUS_42: Ranges = &[(1, 1), (11, 11), (37, 37), (76, 76), (109, 109)];

const INSTRUMENT_44: Ranges = &[
    (22, 22),
    (48, 48),
    (54, 55),
    (65, 65),
    (106, 107),
    (167, 167),
    (200, 202),
    (206, 207),
    (223, 228),
    (231, 231),
    (239, 240),
    (255, 255),
    (348, 351),
    (454, 456),
    (460, 461),
    (470, 472),
    (541, 541),
    (543, 543),
    (667, 667),
    (691, 691),
    (762, 762),
    (864, 868),
    (873, 876),
    (947, 947),
];

const UNDERLYING_44: Ranges = &[
    (241, 247),
    (256, 256),
    (305, 313),
    (315, 318),
    (362, 365),
    (435, 436),
    (457, 459),
    (462, 463),
    (542, 542),
    (592, 595),
    (711, 711),
    (763, 763),
    (810, 810),
    (877, 879),
    (882, 889),
    (941, 941),
];

const FINANCING_44: Ranges = &[(788, 788), (898, 898), (913, 919)];

const PARTIES_44: Ranges = &[(447, 448), (452, 453), (523, 523), (802, 803)];

/// What new orders and replacements of 4.4 have in common.
const TERMS_44: Ranges = &[
    (1, 1),
    (11, 13),
    (15, 15),
    (18, 18),
    (21, 21),
    (38, 38),
    (40, 40),
    (44, 44),
    (59, 60),
    (63, 63),
    (70, 70),
    (75, 75),
    (77, 80),
    (99, 100),
    (110, 111),
    (120, 121),
    (126, 126),
    (152, 152),
    (168, 168),
    (192, 193),
    (203, 203),
    (210, 211),
    (218, 218),
    (220, 222),
    (336, 336),
    (376, 377),
    (386, 386),
    (388, 389),
    (423, 423),
    (427, 427),
    (432, 432),
    (467, 469),
    (479, 481),
    (497, 497),
    (513, 513),
    (516, 516),
    (524, 526),
    (528, 529),
    (538, 539),
    (544, 545),
    (581, 583),
    (589, 591),
    (625, 625),
    (635, 635),
    (640, 640),
    (660, 663),
    (699, 699),
    (736, 736),
    (761, 761),
    (804, 805),
    (835, 838),
    (840, 844),
    (846, 849),
    (854, 854),
];

const CANCEL_44: Ranges = &[
    (1, 1),
    (11, 11),
    (37, 38),
    (41, 41),
    (60, 60),
    (66, 66),
    (152, 152),
    (376, 376),
    (468, 469),
    (516, 516),
    (526, 526),
    (581, 581),
    (583, 583),
    (586, 586),
    (660, 660),
];

const STATUS_44: Ranges =
    &[(1, 1), (11, 11), (37, 37), (526, 526), (583, 583), (660, 660), (790, 790)];

const MASS_CANCEL_44: Ranges =
    &[(11, 11), (60, 60), (336, 336), (526, 526), (530, 530), (625, 625)];

/// A repeating group: the tag that counts its entries, the one that every entry begins with, and
/// the others of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Counts the entries.
    pub count: u16,
    /// Begins an entry.
    pub first: u16,
    /// What else an entry may have; groups within it stand here flat.
    pub members: &'static [u16],
}

/// The groups of messages that the venue takes. Groups that stand in another are not counted by
/// themselves.
const GROUPS: &[Group] = &[
    Group {
        count: 78,
        first: 79,
        members: &[80, 661, 736, 467, 539, 524, 525, 538, 804, 545, 805],
    },
    Group { count: 384, first: 372, members: &[385] },
    Group { count: 386, first: 336, members: &[625] },
    Group { count: 453, first: 448, members: &[447, 452, 802, 523, 803] },
    Group { count: 454, first: 455, members: &[456] },
    Group { count: 232, first: 233, members: &[234] },
    Group { count: 864, first: 865, members: &[866, 867, 868] },
    Group {
        count: 711,
        first: 311,
        members: &[
            312, 309, 305, 457, 458, 459, 462, 463, 310, 763, 313, 542, 241, 242, 243, 244, 245,
            246, 256, 595, 592, 593, 594, 247, 316, 941, 317, 436, 435, 308, 306, 362, 363, 307,
            364, 365, 877, 878, 318, 879, 810, 882, 883, 884, 885, 886, 887, 888, 889, 315,
        ],
    },
    Group { count: 627, first: 628, members: &[629, 630] },
];

/// The group that this tag counts.
#[inline]
pub fn group(tag: i32) -> Option<&'static Group> {
    GROUPS.iter().find(|group| i32::from(group.count) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_ascend_and_do_not_touch() {
        let sets = BODIES.iter().flat_map(|(_, body)| body.sets).chain([&TAGS_42, &TAGS_44]);
        for ranges in sets {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
        }
    }

    #[test]
    fn what_must_be_there_may_be_there() {
        for (letter, body) in BODIES {
            for version in Version::ALL.into_iter().filter(|v| body.versions & v.bit() != 0) {
                for &tag in body.required {
                    assert!(body.allows(tag), "{tag} of {}", char::from(*letter));
                    assert!(is_tag(version, tag.into()));
                    assert_eq!(part(version, tag.into()), Part::Body);
                }
            }
        }
    }

    #[test]
    fn versions_differ_where_the_standard_says() {
        let [fix42, fix44] = Version::ALL;
        assert!(is_tag(fix42, 47) && !is_tag(fix44, 47), "Rule80A became OrderCapacity");
        assert!(!is_tag(fix42, 528) && is_tag(fix44, 528));
        assert!(body(fix42, b"q").is_none() && body(fix44, b"q").is_some());
        assert!(is_msg_type(fix44, b"AF") && !is_msg_type(fix42, b"AF"));
        for version in Version::ALL {
            for wrong in [&b"*"[..], b"", b"I", b"O", b"U", b"BI", b"DD", b"D "] {
                assert!(!is_msg_type(version, wrong), "{wrong:?}");
            }
            for wrong in [-1, 0, 101, 957, 5_000, 70_000] {
                assert!(!is_tag(version, wrong), "{wrong}");
            }
        }
        let new = |version| body(version, b"D").expect("an order");
        assert!(new(fix42).required.contains(&21) && !new(fix44).required.contains(&21));
        assert!(!body(fix42, b"0").expect("a heartbeat").allows(55));
    }
}
