//! Sound and a picture that need no encoder: `samples/make.py` says how they were made.

/// One second of two strokes of a bell.
pub(crate) fn greeting() -> impl Iterator<Item = &'static [u8]> {
    include_bytes!("samples/greeting.opus").chunks_exact(OPUS_PACKET)
}

/// One second of a tone, of which no two packets are alike.
pub(crate) fn tone() -> impl Iterator<Item = &'static [u8]> + Clone {
    include_bytes!("samples/tone.opus").chunks_exact(OPUS_PACKET)
}

/// A key frame of VP8 (RFC 6386).
pub(crate) const PICTURE: &[u8] = include_bytes!("samples/picture.vp8");
/// RTP time of a packet of sound: 20 ms at 48 kHz (RFC 7587 §4.2).
pub(crate) const OPUS_DURATION: u32 = 960;
/// The same in milliseconds.
pub(crate) const OPUS_MILLIS: u64 = 20;
const OPUS_PACKET: usize = 60;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn they_are_what_they_are_said_to_be() {
        for sound in [greeting().collect::<Vec<_>>(), tone().collect()] {
            assert_eq!(sound.len(), 50);
            let different: HashSet<_> = sound.iter().collect();
            assert_eq!(different.len(), 50);
            for packet in sound {
                // RFC 6716 §3.1: frames of 20 ms, mono; one of them, padded or not.
                let is_20_ms = match packet[0] >> 3 {
                    silk @ 0..=11 => silk % 4 == 1,
                    hybrid @ 12..=15 => hybrid % 2 == 1,
                    celt => celt % 4 == 3,
                };
                let frames = match packet[0] & 0b11 {
                    0 => 1,
                    3 => packet[1] & 0b11_1111,
                    _ => 2,
                };
                assert!(is_20_ms && frames == 1 && packet[0] & 0b100 == 0);
            }
        }
        assert!(greeting().all(|packet| tone().all(|other| packet != other)));
        // RFC 6386 §9.1: a key frame, its start code, 320 by 240 pixels.
        assert_eq!(PICTURE[0] & 1, 0);
        assert_eq!(PICTURE[3..10], [0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    }
}
