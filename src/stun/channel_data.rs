//! ChannelData framing (RFC 8656 §12.4).

/// Length of a ChannelData header.
pub const CHANNEL_HEADER: usize = 4;

/// A channel number that may be bound: 0x4000 through 0x4FFF (RFC 8656 §12).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The number, if it is one of a channel.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            0x4000..=0x4FFF => Some(Self(number)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The header of a ChannelData message that carries `length` bytes.
    #[must_use]
    pub const fn header(self, length: u16) -> [u8; CHANNEL_HEADER] {
        let [n0, n1] = self.0.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        [n0, n1, l0, l1]
    }
}

/// A ChannelData message in a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelData<'a> {
    /// The channel.
    pub number: ChannelNumber,
    /// The application data, without padding.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Decodes a datagram; nothing for what is to be "silently discarded" (RFC 8656 §12.6): a
    /// number out of range, or a datagram too short for the length it claims. Bytes behind the data
    /// are padding, which §12.5 allows over UDP.
    #[must_use]
    pub fn decode(datagram: &'a [u8]) -> Option<Self> {
        let ([n0, n1, l0, l1], rest) = datagram.split_first_chunk::<CHANNEL_HEADER>()?;
        let number = ChannelNumber::new(u16::from_be_bytes([*n0, *n1]))?;
        let data = rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])))?;
        Some(Self { number, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_beyond_the_datagram_is_nothing() {
        assert_eq!(ChannelData::decode(&[0x40, 0, 0, 5, 1, 2, 3, 4]), None);
        assert_eq!(ChannelData::decode(&[0x40, 0, 0]), None);
    }

    #[test]
    fn numbers_out_of_range_are_nothing() {
        assert_eq!(ChannelData::decode(&[0x3F, 0xFF, 0, 0]), None);
        assert_eq!(ChannelData::decode(&[0x50, 0, 0, 0]), None);
    }

    #[test]
    fn padding_and_empty_data_are_allowed() {
        let padded = ChannelData::decode(&[0x4F, 0xFF, 0, 1, 9, 0, 0, 0]).unwrap();
        assert_eq!((padded.number.number(), padded.data), (0x4FFF, &[9][..]));
        assert_eq!(
            ChannelData::decode(&[0x40, 0, 0, 0]).unwrap().data,
            &[] as &[u8]
        );
    }
}
