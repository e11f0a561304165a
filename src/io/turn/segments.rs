//! Datagrams that the kernel put together, one by one.

use crate::turn::{HEADROOM, TAILROOM};

/// Hands on the datagrams that the kernel put together, each with room around it. Answers their
/// number.
///
/// A reply may be longer than its request, and what is behind the request is the next one: so
/// requests that others follow are answered in `spare`.
pub(super) fn each_segment(
    slot: &mut [u8],
    spare: &mut [u8],
    (length, segment): (usize, usize),
    mut handle: impl FnMut(&mut [u8], usize),
) -> usize {
    let (mut start, mut count) = (0, 0);
    loop {
        let size = segment.min(length - start);
        let rest = slot.get_mut(start..).unwrap_or_default();
        count += 1;
        start += size;
        if start >= length {
            handle(rest, size);
            return count;
        }
        let Some(part) = rest.get_mut(..HEADROOM + size + TAILROOM) else {
            return count;
        };
        if part.get(HEADROOM).is_some_and(|first| *first < 4) {
            if let Some(place) = spare.get_mut(..part.len()) {
                place.copy_from_slice(part);
                handle(spare, size);
            }
            continue;
        }
        let behind: Option<[u8; TAILROOM]> = part.last_chunk().copied();
        handle(part, size);
        if let (Some(place), Some(behind)) = (part.last_chunk_mut(), behind) {
            *place = behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_handed_on_whole_whatever_is_written_around_them() {
        let message = [1; 10]
            .into_iter()
            .chain([0x40; 10])
            .chain([0x41; 10])
            .chain([2; 3]);
        let mut slot = vec![0xEE; HEADROOM];
        slot.extend(message);
        slot.extend([0xEE; 2000]);
        let mut spare = vec![0xEE; 2000];
        let mut seen = Vec::new();
        let count = each_segment(&mut slot, &mut spare, (33, 10), |part, length| {
            let data = part[HEADROOM..HEADROOM + length].to_vec();
            // A reply for a request, else a header before and padding behind.
            let end = HEADROOM + length + if data[0] < 4 { 500 } else { TAILROOM };
            part[..end].fill(0xFF);
            seen.push(data);
        });
        assert_eq!(count, 4);
        assert_eq!(
            seen,
            [vec![1; 10], vec![0x40; 10], vec![0x41; 10], vec![2; 3]]
        );
    }
}
