//! The attributes as typed values: RFC 8489 §14 and RFC 8656 §18.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{MAGIC_COOKIE, Raw, TransactionId};

/// One attribute, borrowing the message.
///
/// The integrity attributes and FINGERPRINT are no values of their own: [`super::Message`] checks
/// them and [`super::Writer`] makes them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// RFC 8656 §18.11
    AdditionalAddressFamily(Family),
    /// RFC 8656 §18.12
    AddressErrorCode {
        /// The family that was not allocated.
        family: Family,
        /// 440 or 508.
        code: u16,
        /// For people; may be empty.
        reason: &'a str,
    },
    /// RFC 8656 §18.1; any number, the range is the server's to judge.
    ChannelNumber(u16),
    /// RFC 8656 §18.4
    Data(&'a [u8]),
    /// RFC 8656 §18.9
    DontFragment,
    /// RFC 8489 §14.8
    ErrorCode {
        /// 300 to 699.
        code: u16,
        /// For people; may be empty.
        reason: &'a str,
    },
    /// RFC 8656 §18.7
    EvenPort {
        /// The R bit: reserve the next-higher port.
        reserve: bool,
    },
    /// RFC 8656 §18.13
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// MTU, or zero.
        data: u32,
    },
    /// RFC 8656 §18.2, in seconds.
    Lifetime(u32),
    /// RFC 8489 §14.1
    MappedAddress(SocketAddr),
    /// RFC 8489 §14.10
    Nonce(&'a [u8]),
    /// RFC 8489 §14.12
    PasswordAlgorithm {
        /// The number of the IANA registry.
        number: u16,
        /// Empty for all that are defined.
        parameters: &'a [u8],
    },
    /// RFC 8489 §14.11
    PasswordAlgorithms(Algorithms<'a>),
    /// RFC 8489 §14.9
    Realm(&'a str),
    /// RFC 8656 §18.6
    RequestedAddressFamily(Family),
    /// RFC 8656 §18.8: the protocol number, 17 for UDP.
    RequestedTransport(u8),
    /// RFC 8656 §18.10
    ReservationToken([u8; 8]),
    /// RFC 8489 §14.14
    Software(&'a str),
    /// RFC 8489 §14.13: the 16-bit types, one after the other.
    UnknownAttributes(&'a [u8]),
    /// RFC 8489 §14.4
    UserHash([u8; 32]),
    /// RFC 8489 §14.3
    Username(&'a str),
    /// RFC 8489 §14.2
    XorMappedAddress(SocketAddr),
    /// RFC 8656 §18.3
    XorPeerAddress(SocketAddr),
    /// RFC 8656 §18.5
    XorRelayedAddress(SocketAddr),
}

impl<'a> Attribute<'a> {
    /// Types a raw attribute; `transaction` is that of its message.
    ///
    /// # Errors
    ///
    /// [`AttributeError::Unknown`] for a type that is not ours to know, [`AttributeError::Malformed`]
    /// for a value that is none of its type.
    pub fn decode(raw: &Raw<'a>, transaction: &TransactionId) -> Result<Self, AttributeError> {
        type T = AttributeType;
        let value = raw.value;
        let typed = match raw.kind {
            T::ADDITIONAL_ADDRESS_FAMILY => family(value).map(Self::AdditionalAddressFamily),
            T::ADDRESS_ERROR_CODE => value.split_first_chunk::<4>().and_then(|(head, rest)| {
                let [family, _, class, number] = *head;
                Some(Self::AddressErrorCode {
                    family: Family(family),
                    code: error_code(class, number)?,
                    reason: text(rest)?,
                })
            }),
            T::CHANNEL_NUMBER => {
                exact(value).map(|[n0, n1, _, _]| Self::ChannelNumber(u16::from_be_bytes([n0, n1])))
            }
            T::DATA => Some(Self::Data(value)),
            T::DONT_FRAGMENT => value.is_empty().then_some(Self::DontFragment),
            T::ERROR_CODE => value.split_first_chunk::<4>().and_then(|(head, rest)| {
                let [_, _, class, number] = *head;
                Some(Self::ErrorCode {
                    code: error_code(class, number)?,
                    reason: text(rest)?,
                })
            }),
            T::EVEN_PORT => exact(value).map(|[flags]| Self::EvenPort {
                reserve: flags & 0x80 != 0,
            }),
            T::ICMP => exact(value).map(|[_, _, kind, code, d0, d1, d2, d3]| Self::Icmp {
                kind,
                code,
                data: u32::from_be_bytes([d0, d1, d2, d3]),
            }),
            T::LIFETIME => exact(value).map(|bytes| Self::Lifetime(u32::from_be_bytes(bytes))),
            T::MAPPED_ADDRESS => address(value, None).map(Self::MappedAddress),
            T::NONCE => Some(Self::Nonce(value)),
            T::PASSWORD_ALGORITHM => algorithm(value).and_then(|(number, parameters, rest)| {
                rest.is_empty()
                    .then_some(Self::PasswordAlgorithm { number, parameters })
            }),
            T::PASSWORD_ALGORITHMS => Algorithms::new(value).map(Self::PasswordAlgorithms),
            T::REALM => text(value).map(Self::Realm),
            T::REQUESTED_ADDRESS_FAMILY => family(value).map(Self::RequestedAddressFamily),
            T::REQUESTED_TRANSPORT => {
                exact(value).map(|[protocol, _, _, _]| Self::RequestedTransport(protocol))
            }
            T::RESERVATION_TOKEN => exact(value).map(Self::ReservationToken),
            T::SOFTWARE => text(value).map(Self::Software),
            T::UNKNOWN_ATTRIBUTES => value
                .len()
                .is_multiple_of(2)
                .then_some(Self::UnknownAttributes(value)),
            T::USERHASH => exact(value).map(Self::UserHash),
            T::USERNAME => text(value).map(Self::Username),
            T::XOR_MAPPED_ADDRESS => address(value, Some(transaction)).map(Self::XorMappedAddress),
            T::XOR_PEER_ADDRESS => address(value, Some(transaction)).map(Self::XorPeerAddress),
            T::XOR_RELAYED_ADDRESS => {
                address(value, Some(transaction)).map(Self::XorRelayedAddress)
            }
            unknown => return Err(AttributeError::Unknown(unknown)),
        };
        typed.ok_or(AttributeError::Malformed(raw.kind))
    }

    /// The type it has on the wire.
    #[must_use]
    pub fn kind(&self) -> AttributeType {
        type T = AttributeType;
        match self {
            Self::AdditionalAddressFamily(_) => T::ADDITIONAL_ADDRESS_FAMILY,
            Self::AddressErrorCode { .. } => T::ADDRESS_ERROR_CODE,
            Self::ChannelNumber(_) => T::CHANNEL_NUMBER,
            Self::Data(_) => T::DATA,
            Self::DontFragment => T::DONT_FRAGMENT,
            Self::ErrorCode { .. } => T::ERROR_CODE,
            Self::EvenPort { .. } => T::EVEN_PORT,
            Self::Icmp { .. } => T::ICMP,
            Self::Lifetime(_) => T::LIFETIME,
            Self::MappedAddress(_) => T::MAPPED_ADDRESS,
            Self::Nonce(_) => T::NONCE,
            Self::PasswordAlgorithm { .. } => T::PASSWORD_ALGORITHM,
            Self::PasswordAlgorithms(_) => T::PASSWORD_ALGORITHMS,
            Self::Realm(_) => T::REALM,
            Self::RequestedAddressFamily(_) => T::REQUESTED_ADDRESS_FAMILY,
            Self::RequestedTransport(_) => T::REQUESTED_TRANSPORT,
            Self::ReservationToken(_) => T::RESERVATION_TOKEN,
            Self::Software(_) => T::SOFTWARE,
            Self::UnknownAttributes(_) => T::UNKNOWN_ATTRIBUTES,
            Self::UserHash(_) => T::USERHASH,
            Self::Username(_) => T::USERNAME,
            Self::XorMappedAddress(_) => T::XOR_MAPPED_ADDRESS,
            Self::XorPeerAddress(_) => T::XOR_PEER_ADDRESS,
            Self::XorRelayedAddress(_) => T::XOR_RELAYED_ADDRESS,
        }
    }

    /// Hands the value to `out`, part by part.
    pub(super) fn write(&self, transaction: &TransactionId, mut out: impl FnMut(&[u8])) {
        match *self {
            Self::AdditionalAddressFamily(family) | Self::RequestedAddressFamily(family) => {
                out(&[family.0, 0, 0, 0]);
            }
            Self::AddressErrorCode {
                family,
                code,
                reason,
            } => {
                let [class, number] = error_bytes(code);
                out(&[family.0, 0, class, number]);
                out(reason.as_bytes());
            }
            Self::ChannelNumber(number) => {
                out(&number.to_be_bytes());
                out(&[0, 0]);
            }
            Self::Data(bytes) | Self::Nonce(bytes) | Self::UnknownAttributes(bytes) => out(bytes),
            Self::DontFragment => {}
            Self::ErrorCode { code, reason } => {
                let [class, number] = error_bytes(code);
                out(&[0, 0, class, number]);
                out(reason.as_bytes());
            }
            Self::EvenPort { reserve } => out(&[u8::from(reserve) << 7]),
            Self::Icmp { kind, code, data } => {
                out(&[0, 0, kind, code]);
                out(&data.to_be_bytes());
            }
            Self::Lifetime(seconds) => out(&seconds.to_be_bytes()),
            Self::MappedAddress(address) => write_address(address, None, out),
            Self::PasswordAlgorithm { number, parameters } => {
                out(&number.to_be_bytes());
                let length = u16::try_from(parameters.len()).unwrap_or(u16::MAX);
                out(&length.to_be_bytes());
                out(parameters);
                let padding = parameters.len().next_multiple_of(4) - parameters.len();
                out([0; 3].get(..padding).unwrap_or_default());
            }
            Self::PasswordAlgorithms(list) => out(list.0),
            Self::Realm(text) | Self::Software(text) | Self::Username(text) => {
                out(text.as_bytes());
            }
            Self::RequestedTransport(protocol) => out(&[protocol, 0, 0, 0]),
            Self::ReservationToken(token) => out(&token),
            Self::UserHash(hash) => out(&hash),
            Self::XorMappedAddress(address)
            | Self::XorPeerAddress(address)
            | Self::XorRelayedAddress(address) => write_address(address, Some(transaction), out),
        }
    }
}

/// The 16-bit type of an attribute. Unknown ones exist too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AttributeType(pub u16);

#[expect(
    missing_docs,
    reason = "the names are those of the registry, RFC 8489 §18.3 and RFC 8656 §18"
)]
impl AttributeType {
    pub const MAPPED_ADDRESS: Self = Self(0x0001);
    pub const USERNAME: Self = Self(0x0006);
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    pub const ERROR_CODE: Self = Self(0x0009);
    pub const UNKNOWN_ATTRIBUTES: Self = Self(0x000A);
    pub const CHANNEL_NUMBER: Self = Self(0x000C);
    pub const LIFETIME: Self = Self(0x000D);
    pub const XOR_PEER_ADDRESS: Self = Self(0x0012);
    pub const DATA: Self = Self(0x0013);
    pub const REALM: Self = Self(0x0014);
    pub const NONCE: Self = Self(0x0015);
    pub const XOR_RELAYED_ADDRESS: Self = Self(0x0016);
    pub const REQUESTED_ADDRESS_FAMILY: Self = Self(0x0017);
    pub const EVEN_PORT: Self = Self(0x0018);
    pub const REQUESTED_TRANSPORT: Self = Self(0x0019);
    pub const DONT_FRAGMENT: Self = Self(0x001A);
    pub const MESSAGE_INTEGRITY_SHA256: Self = Self(0x001C);
    pub const PASSWORD_ALGORITHM: Self = Self(0x001D);
    pub const USERHASH: Self = Self(0x001E);
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
    pub const RESERVATION_TOKEN: Self = Self(0x0022);
    pub const ADDITIONAL_ADDRESS_FAMILY: Self = Self(0x8000);
    pub const ADDRESS_ERROR_CODE: Self = Self(0x8001);
    pub const PASSWORD_ALGORITHMS: Self = Self(0x8002);
    pub const ICMP: Self = Self(0x8004);
    pub const SOFTWARE: Self = Self(0x8022);
    pub const FINGERPRINT: Self = Self(0x8028);
}

impl AttributeType {
    /// RFC 8489 §14: types below 0x8000 must be understood.
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }

    /// Whether a server of RFC 8489 and RFC 8656 knows it.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(
            self,
            Self::MAPPED_ADDRESS
                | Self::USERNAME
                | Self::MESSAGE_INTEGRITY
                | Self::ERROR_CODE
                | Self::UNKNOWN_ATTRIBUTES
                | Self::CHANNEL_NUMBER
                | Self::LIFETIME
                | Self::XOR_PEER_ADDRESS
                | Self::DATA
                | Self::REALM
                | Self::NONCE
                | Self::XOR_RELAYED_ADDRESS
                | Self::REQUESTED_ADDRESS_FAMILY
                | Self::EVEN_PORT
                | Self::REQUESTED_TRANSPORT
                | Self::DONT_FRAGMENT
                | Self::MESSAGE_INTEGRITY_SHA256
                | Self::PASSWORD_ALGORITHM
                | Self::USERHASH
                | Self::XOR_MAPPED_ADDRESS
                | Self::RESERVATION_TOKEN
                | Self::ADDITIONAL_ADDRESS_FAMILY
                | Self::ADDRESS_ERROR_CODE
                | Self::PASSWORD_ALGORITHMS
                | Self::ICMP
                | Self::SOFTWARE
                | Self::FINGERPRINT
        )
    }
}

/// An address family number as RFC 8489 §14.1 has them; others decode too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Family(pub u8);

impl Family {
    /// 0x01
    pub const IPV4: Self = Self(0x01);
    /// 0x02
    pub const IPV6: Self = Self(0x02);

    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::IPV4,
            IpAddr::V6(_) => Self::IPV6,
        }
    }
}

/// The value of PASSWORD-ALGORITHMS: a well-formed list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Algorithms<'a>(&'a [u8]);

impl<'a> Algorithms<'a> {
    /// The list in `value`, if it is one.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Option<Self> {
        let mut rest = value;
        while !rest.is_empty() {
            (_, _, rest) = algorithm(rest)?;
        }
        Some(Self(value))
    }

    /// Each algorithm's number and parameters.
    pub fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (number, parameters, after) = algorithm(rest)?;
            rest = after;
            Some((number, parameters))
        })
    }

    /// The bytes of the list.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Why a value is not an attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The value is none of its type.
    #[error("malformed attribute {0:?}")]
    Malformed(AttributeType),
    /// Not a type we know.
    #[error("unknown attribute {0:?}")]
    Unknown(AttributeType),
}

fn exact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn family(value: &[u8]) -> Option<Family> {
    exact(value).map(|[family, _, _, _]| Family(family))
}

/// RFC 8489 §14.8: the hundreds digit between 3 and 6, the number between 0 and 99.
fn error_code(class: u8, number: u8) -> Option<u16> {
    let class = class & 0x07;
    ((3..=6).contains(&class) && number < 100).then(|| u16::from(class) * 100 + u16::from(number))
}

fn error_bytes(code: u16) -> [u8; 2] {
    let class = u8::try_from(code / 100).unwrap_or_default();
    let number = u8::try_from(code % 100).unwrap_or_default();
    [class, number]
}

/// One entry of an algorithm list: number, parameters, and what follows.
fn algorithm(value: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([n0, n1, l0, l1], rest) = value.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let parameters = rest.get(..length)?;
    let rest = rest.get(length.next_multiple_of(4)..)?;
    Some((u16::from_be_bytes([*n0, *n1]), parameters, rest))
}

/// What addresses are XORed with: cookie and transaction id (RFC 8489 §14.2).
fn mask(transaction: Option<&TransactionId>) -> [u8; 16] {
    let mut mask = [0; 16];
    if let Some(TransactionId(id)) = transaction {
        let bytes = MAGIC_COOKIE.to_be_bytes().into_iter().chain(*id);
        for (to, from) in mask.iter_mut().zip(bytes) {
            *to = from;
        }
    }
    mask
}

fn address(value: &[u8], transaction: Option<&TransactionId>) -> Option<SocketAddr> {
    let ([_, family, p0, p1], rest) = value.split_first_chunk::<4>()?;
    let mask = mask(transaction);
    let [m0, m1, ..] = mask;
    let port = u16::from_be_bytes([p0 ^ m0, p1 ^ m1]);
    let ip = match Family(*family) {
        Family::IPV4 => {
            let bytes = u32::from_be_bytes(exact(rest)?) ^ u32::from_be_bytes(*mask.first_chunk()?);
            IpAddr::V4(Ipv4Addr::from_bits(bytes))
        }
        Family::IPV6 => {
            let bytes = u128::from_be_bytes(exact(rest)?) ^ u128::from_be_bytes(mask);
            IpAddr::V6(Ipv6Addr::from_bits(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn write_address(
    address: SocketAddr,
    transaction: Option<&TransactionId>,
    mut out: impl FnMut(&[u8]),
) {
    let mask = mask(transaction);
    let [m0, m1, m2, m3, ..] = mask;
    let [p0, p1] = address.port().to_be_bytes();
    out(&[0, Family::of(address.ip()).0, p0 ^ m0, p1 ^ m1]);
    match address.ip() {
        IpAddr::V4(ip) => {
            let cookie = u32::from_be_bytes([m0, m1, m2, m3]);
            out(&(ip.to_bits() ^ cookie).to_be_bytes());
        }
        IpAddr::V6(ip) => out(&(ip.to_bits() ^ u128::from_be_bytes(mask)).to_be_bytes()),
    }
}
