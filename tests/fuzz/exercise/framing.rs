//! Any bytes as a TCP stream: where it is cut on its way does not matter, and little of it is kept.

use campana::stun::Framer;

pub(crate) fn exercise(bytes: &[u8]) {
    let Some((&size, stream)) = bytes.split_first() else {
        return;
    };
    let size = usize::from(size).max(1);
    let whole = frames(std::iter::once(stream));
    let cut = frames(stream.chunks(size));
    assert_eq!(whole, cut);
}

/// The messages up to the first that is none, and whether there was one.
fn frames<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut framer = Framer::new(LIMIT);
    let mut frames = Vec::new();
    for part in parts {
        framer.push(part);
        while let Some(frame) = framer.next_frame() {
            match frame {
                Ok(frame) => {
                    assert!((4..=LIMIT).contains(&frame.len()));
                    frames.push(frame.to_vec());
                }
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

const LIMIT: usize = 2048;
