//! What the messages of both directions have in common.

use spindle_feed::itch::printable;
use thiserror::Error;

use super::Appendage;
use super::appendage::BrokenChain;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No byte at all.
    #[error("an empty message; an OUCH message has at least its type")]
    Empty,
    /// A type that this direction does not have.
    #[error("unknown message type {}", printable(*.0))]
    UnknownType(u8),
    /// Shorter than its type demands.
    #[error("message type {} has {got} bytes; it needs {needed}", printable(*.message_type))]
    Short {
        /// The type.
        message_type: u8,
        /// Bytes that the type demands.
        needed: usize,
        /// Bytes that were there.
        got: usize,
    },
    /// Longer than its type can be.
    #[error("message type {} has {got} bytes; it has {needed} at most", printable(*.message_type))]
    Long {
        /// The type.
        message_type: u8,
        /// Bytes that the type has at most.
        needed: usize,
        /// Bytes that were there.
        got: usize,
    },
    /// The appendage length is not that of the bytes after it.
    #[error("message type {} announces {announced} bytes of options; {got} follow",
        printable(*.message_type))]
    AppendageLength {
        /// The type.
        message_type: u8,
        /// The length field; 0 where there is not even room for it.
        announced: usize,
        /// Bytes after it.
        got: usize,
    },
    /// The lengths inside the appendage do not add up to its own.
    #[error("message type {} has a broken chain of options: {cause}", printable(*.message_type))]
    Chain {
        /// The type.
        message_type: u8,
        /// Where it breaks.
        cause: BrokenChain,
    },
}

/// Whether a message has an appendage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Never: it ends with its table.
    Plain,
    /// Its last field is the appendage length.
    Always,
    /// It may end with its table, or go on with an appendage length (1.05).
    Optional,
}

/// The appendage of a message whose first `fixed` bytes are its table.
#[inline]
pub(super) fn appendage(
    bytes: &[u8],
    fixed: usize,
    form: Form,
) -> Result<Appendage<'_>, DecodeError> {
    let message_type = bytes.first().copied().unwrap_or_default();
    let wrong = |announced, got| DecodeError::AppendageLength { message_type, announced, got };
    let rest = bytes.get(fixed..).unwrap_or_default();
    let (announced, options) = match form {
        Form::Plain | Form::Optional if rest.is_empty() => return Ok(Appendage::ABSENT),
        Form::Plain => return Err(wrong(0, rest.len())),
        Form::Optional => rest.split_first_chunk::<2>().ok_or(wrong(0, rest.len()))?,
        Form::Always => bytes
            .get(fixed.saturating_sub(2)..)
            .and_then(<[u8]>::split_first_chunk::<2>)
            .ok_or(wrong(0, rest.len()))?,
    };
    let announced = usize::from(u16::from_be_bytes(*announced));
    if announced != options.len() {
        return Err(wrong(announced, options.len()));
    }
    Appendage::parse(options).map_err(|cause| DecodeError::Chain { message_type, cause })
}

/// Declares the messages of one direction: structs with asserted lengths, the enum of views, and
/// the decoder.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident $code:literal $length:literal $form:ident {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
            #[repr(C)]
            pub struct $name {
                /// The type byte, [`Self::TYPE`].
                pub message_type: u8,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $name {
                /// The type byte of this message.
                pub const TYPE: u8 = $code;
                /// The length of its table in bytes, without options.
                pub const LENGTH: usize = $length;
            }

            const _: () = assert!(size_of::<$name>() == $length);
        )*

        /// A message with its options, as views into the bytes it was decoded from.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $( $(#[$doc])* $name(&'a $name, Appendage<'a>), )*
        }

        impl<'a> Message<'a> {
            /// Decodes one message, which fills `bytes` exactly.
            ///
            /// # Errors
            /// See [`DecodeError`]. Options are checked for their framing alone; see
            /// [`Appendage::check`] for their content.
            #[inline]
            pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
                let Some(&message_type) = bytes.first() else {
                    return Err(DecodeError::Empty);
                };
                match message_type {
                    $( $code => {
                        let Ok((message, _)) = $name::ref_from_prefix(bytes) else {
                            let (needed, got) = ($length, bytes.len());
                            return Err(DecodeError::Short { message_type, needed, got });
                        };
                        Ok(Self::$name(message, appendage(bytes, $length, Form::$form)?))
                    } )*
                    _ => Err(DecodeError::UnknownType(message_type)),
                }
            }

            /// The message on the wire, in memory of its own: the table's bytes, and where the
            /// appendage is not part of the table and not absent, its length and content.
            pub fn to_owned_bytes(&self) -> Vec<u8> {
                let (table, options, form) = match self {
                    $( Self::$name(message, options) => {
                        (message.as_bytes(), options, Form::$form)
                    } )*
                };
                let mut bytes = table.to_vec();
                if form == Form::Optional && !options.is_absent() {
                    bytes.extend_from_slice(&options.length_field());
                }
                bytes.extend_from_slice(options.as_bytes());
                bytes
            }

            /// The name of the message.
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$name(..) => stringify!($name), )*
                }
            }

            /// The options; absent where the message has none.
            pub const fn options(&self) -> Appendage<'a> {
                match self {
                    $( Self::$name(_, options) => *options, )*
                }
            }
        }

        /// Every type byte with the length of its table, in the order of the summary.
        pub const MESSAGES: &[(u8, usize)] = &[$(($code, $length)),*];
    };
}

pub(super) use messages;

/// The types of fields.
pub(crate) mod fields {
    use zerocopy::{BigEndian, U16, U32, U64};

    pub(crate) type Alpha<const N: usize> = [u8; N];
    pub(crate) type U16be = U16<BigEndian>;
    pub(crate) type U32be = U32<BigEndian>;
    pub(crate) type U64be = U64<BigEndian>;
}
