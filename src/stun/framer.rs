//! Messages in a byte stream: TCP, and TLS over it.

use super::{HEADER, MAGIC_COOKIE};

/// Cuts a stream into STUN messages and ChannelData messages.
///
/// Their length fields are the framing (RFC 8489 §6.2.2); over TCP, ChannelData is padded to a
/// multiple of four bytes (RFC 8656 §12.5). A stream that cannot be cut is of no further use: there
/// is nothing in it to find the next message by.
#[derive(Debug)]
pub struct Framer {
    kept: Vec<u8>,
    /// What was handed out already is in front of this.
    start: usize,
    limit: usize,
}

/// Why a stream is of no further use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Neither STUN nor ChannelData.
    #[error("not a STUN or ChannelData message")]
    Foreign,
    /// A message longer than the sender may send now.
    #[error("a message of {0} bytes is longer than allowed")]
    TooLong(usize),
}

impl Framer {
    /// A stream whose messages have at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// From now on messages may be that long.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// More of the stream. Call [`Self::next_frame`] until it has nothing, so that no more than one
    /// incomplete message is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.kept.drain(..self.start);
        self.start = 0;
        self.kept.extend_from_slice(bytes);
    }

    /// The next complete message, padding left out.
    ///
    /// # Errors
    ///
    /// [`FrameError`], from then on.
    pub fn next_frame(&mut self) -> Option<Result<&[u8], FrameError>> {
        let rest = self.kept.get(self.start..).unwrap_or_default();
        let (length, padded) = match measure(rest) {
            Ok(Some(lengths)) => lengths,
            Ok(None) => {
                self.forget();
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        if padded > self.limit {
            return Some(Err(FrameError::TooLong(padded)));
        }
        if rest.len() < padded {
            return None;
        }
        let start = self.start;
        self.start += padded;
        self.kept.get(start..start + length).map(Ok)
    }

    /// Whether a part of a message is waiting for the rest of it.
    #[must_use]
    pub fn is_amid_message(&self) -> bool {
        self.kept.len() > self.start
    }

    /// Idle connections keep no memory.
    fn forget(&mut self) {
        if self.start == self.kept.len() {
            self.start = 0;
            self.kept.clear();
            self.kept.shrink_to(KEPT);
        }
    }
}

/// The length of the message at the start, without and with padding; nothing when too little of it
/// is there to tell.
fn measure(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let head = bytes.first_chunk::<4>();
    let length = head.map(|[.., l0, l1]| usize::from(u16::from_be_bytes([*l0, *l1])));
    // RFC 8656 §12, table 3: the first byte tells them apart.
    match (first, length) {
        (0x00..=0x03 | 0x40..=0x4F, None) => Ok(None),
        (0x00..=0x03, Some(length)) => {
            let cookie = bytes.iter().skip(4).zip(MAGIC_COOKIE.to_be_bytes());
            if length % 4 != 0 || cookie.into_iter().any(|(byte, expected)| *byte != expected) {
                return Err(FrameError::Foreign);
            }
            Ok(Some((HEADER + length, HEADER + length)))
        }
        (0x40..=0x4F, Some(length)) => Ok(Some((4 + length, 4 + length.next_multiple_of(4)))),
        _ => Err(FrameError::Foreign),
    }
}

/// Capacity that is kept between messages.
const KEPT: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn binding() -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0];
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend([7; 12]);
        bytes
    }

    fn cut(framer: &mut Framer, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        framer.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = framer.next_frame() {
            frames.push(frame?.to_vec());
        }
        Ok(frames)
    }

    #[test]
    fn padding_is_left_out() {
        let mut framer = Framer::new(100);
        let stream = [
            &[0x40, 0, 0, 1, 9, 0, 0, 0][..],
            &binding(),
            &[0x40, 1, 0, 0],
        ]
        .concat();
        let frames = cut(&mut framer, &stream).unwrap();
        let expected = [vec![0x40, 0, 0, 1, 9], binding(), vec![0x40, 1, 0, 0]];
        assert_eq!(frames, expected);
        assert!(!framer.is_amid_message());
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
        let mut framer = Framer::new(100);
        let error = cut(&mut framer, &[0x40, 0, 0xFF, 0xFF]).unwrap_err();
        assert_eq!(error, FrameError::TooLong(4 + 65536));
        let mut framer = Framer::new(100);
        let error = cut(&mut framer, &[0, 1, 0xFF, 0xFC]).unwrap_err();
        assert_eq!(error, FrameError::TooLong(20 + 65532));
    }

    #[test]
    fn other_protocols_are_found_out_by_their_first_bytes() {
        for foreign in [
            &b"\x16\x03\x01"[..],
            b"\xff",
            b"\0\x01\0\x02",
            b"\0\x01\0\0\x21\x13",
        ] {
            let error = cut(&mut Framer::new(100), foreign).unwrap_err();
            assert_eq!(error, FrameError::Foreign);
        }
        let error = cut(&mut Framer::new(4096), b"GET / HTTP/1.1\r\n").unwrap_err();
        assert!(matches!(error, FrameError::TooLong(_)));
    }

    proptest! {
        #[test]
        fn the_cuts_of_the_stream_do_not_matter(
            messages in vec((any::<bool>(), vec(any::<u8>(), 0..40)), 1..8),
            sizes in vec(1_usize..30, 1..20),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (stun, data) in messages {
                let mut message = binding();
                if !stun {
                    message = vec![0x40, 0, 0, u8::try_from(data.len()).unwrap()];
                    message.extend(data);
                }
                stream.extend(&message);
                stream.resize(stream.len().next_multiple_of(4), 0);
                expected.push(message);
            }
            let mut framer = Framer::new(100);
            let mut frames = Vec::new();
            let mut rest = &stream[..];
            for size in sizes.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*size));
                frames.extend(cut(&mut framer, now).unwrap());
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames, expected);
            prop_assert!(!framer.is_amid_message());
        }

        #[test]
        fn whatever_comes_is_survived_and_little_is_kept(bytes in vec(any::<u8>(), 0..300)) {
            let mut framer = Framer::new(64);
            for chunk in bytes.chunks(7) {
                if cut(&mut framer, chunk).is_err() {
                    break;
                }
                prop_assert!(framer.kept.len() < 64 + 7);
            }
        }
    }
}
