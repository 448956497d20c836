//! What the messages of both directions have in common.

/// Declares the messages of one direction: structs with asserted lengths, the enum of views, and the
/// decoder. A message with two lengths in the table has an older, shorter form too: it ends before its
/// last byte, which is then as given.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident $code:literal $length:literal $(or $short:ident)? {
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
                /// Its length in bytes.
                pub const LENGTH: usize = $length;
            }

            const _: () = assert!(size_of::<$name>() == $length);
        )*

        /// A message, as a view into the bytes it was decoded from. One that came in a shorter form is
        /// told with its last field, which that form does not have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $( $(#[$doc])* $name(&'a $name), )*
            $( $( #[doc = "The same without its last byte."] $short(&'a [u8; $length - 1]), )? )*
        }

        impl<'a> Message<'a> {
            /// Decodes one message, which fills `bytes` exactly.
            ///
            /// # Errors
            /// See [`DecodeError`].
            #[inline]
            pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
                let Some(&message_type) = bytes.first() else {
                    return Err(DecodeError::Empty);
                };
                match message_type {
                    $( $code => {
                        if let Ok(message) = $name::ref_from_bytes(bytes) {
                            return Ok(Self::$name(message));
                        }
                        $(
                            if let Ok(message) = <&[u8; $length - 1]>::try_from(bytes) {
                                return Ok(Self::$short(message));
                            }
                        )?
                        let (needed, got) = ($length, bytes.len());
                        Err(if got < needed {
                            DecodeError::Short { message_type, needed, got }
                        } else {
                            DecodeError::Long { message_type, needed, got }
                        })
                    } )*
                    _ => Err(DecodeError::UnknownType(message_type)),
                }
            }

            /// The message on the wire.
            pub fn as_bytes(&self) -> &'a [u8] {
                match self {
                    $( Self::$name(message) => message.as_bytes(), )*
                    $( $( Self::$short(bytes) => &bytes[..], )? )*
                }
            }

            /// The name of the message.
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$name(_) => stringify!($name), )*
                    $( $( Self::$short(_) => stringify!($short), )? )*
                }
            }
        }

        /// Every type byte with the length of its message, in the order of the summary.
        pub const MESSAGES: &[(u8, usize)] = &[$(($code, $length)),*];
    };
}

pub(super) use messages;
