use super::RecordingError;

/// The messages of an ITCH file that lies in memory, one after another, without copying.
///
/// It ends as [`ItchFile`](super::ItchFile) does: cleanly at the end of the bytes or at a
/// zero-length record, with an error at anything else, and after an error for good.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    count: u64,
}

impl<'a> Frames<'a> {
    /// The messages in `bytes`, which begin with a length prefix.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, count: 0 }
    }

    /// Where the next record begins.
    pub fn offset(&self) -> usize {
        self.at
    }

    #[cold]
    fn end(&mut self) -> Option<RecordingError> {
        let offset = self.at as u64;
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        match rest {
            [] => None,
            [0, 0, following @ ..] if self.count == 0 && !following.is_empty() => {
                Some(RecordingError::ZeroPrefix { following: following.len() as u64 })
            }
            [0, 0, following @ ..] => following
                .iter()
                .any(|&byte| byte != 0)
                .then_some(RecordingError::AfterEnd { offset }),
            _ => Some(truncated(offset, self.count + 1, rest)),
        }
    }
}

/// The error for a record that `rest`, all that is left of the input, does not hold whole.
pub(crate) fn truncated(offset: u64, sequence: u64, rest: &[u8]) -> RecordingError {
    let length = rest.first_chunk().map_or(0, |prefix| u16::from_be_bytes(*prefix));
    let needed = 2 + u64::from(length);
    RecordingError::Truncated { offset, sequence, needed, got: rest.len() as u64 }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], RecordingError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((prefix, rest)) = self.bytes[self.at..].split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*prefix));
            if length != 0 && length <= rest.len() {
                self.at += 2 + length;
                self.count += 1;
                return Some(Ok(&rest[..length]));
            }
        }
        self.end().map(Err)
    }
}
