//! Short texts of fixed room.

use spindle_types::keep;

/// A text of up to `N` bytes, `N` at most 255.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub(super) const EMPTY: Self = Self { bytes: [0; N], length: 0 };

    /// A text; `None` where it is longer.
    #[inline]
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// Its bytes.
    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl<const N: usize> keep::Value for Text<N> {
    const SHAPE: keep::Shape = keep::Shape::of("text").shape(keep::Shape(N as u64));

    fn save(&self, pen: &mut keep::Pen) {
        pen.u8(self.length);
        pen.raw(self.as_bytes());
    }

    fn read(reader: &mut keep::Reader<'_>) -> Result<Self, keep::Unfit> {
        let length = reader.u8()?;
        Self::new(reader.raw(length.into())?).ok_or(keep::Unfit::new("text", "it is too long"))
    }
}

impl<const N: usize> std::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_or_is_none() {
        assert_eq!(
            Text::<3>::new(b"abc").map(|text| text.as_bytes().to_vec()),
            Some(b"abc".to_vec())
        );
        assert_eq!(Text::<3>::new(b"abcd"), None);
        assert_eq!(Text::<3>::new(b""), Some(Text::EMPTY));
        assert_ne!(Text::<3>::new(b"a"), Text::<3>::new(b"a\0"));
    }
}
