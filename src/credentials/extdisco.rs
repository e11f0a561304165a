//! External service discovery: XEP-0215, versions 1 and 2 of its namespace.

use serde::Deserialize;

use super::{Secret, mint};
use crate::xml::{Element, Writer};

/// A STUN or TURN server that people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is.
    pub kind: Kind,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
    /// What its credentials are made with; a STUN server needs none.
    pub secret: Option<Secret>,
}

/// `[[ice]]`: a STUN or TURN server that is not ours.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct External {
    /// Such as `turn:turn.example.org:3478?transport=udp`.
    pub url: String,
    /// Its TURN REST secret; none for STUN.
    pub secret: Option<Secret>,
}

impl External {
    /// The service; `None` if the URL is none of RFC 7064 and RFC 7065.
    #[must_use]
    pub fn service(&self) -> Option<Service> {
        Service::parse(&self.url, self.secret.clone())
    }
}

/// XEP-0215 §8.2: the types registered for STUN and TURN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// STUN (RFC 8489).
    Stun,
    /// STUN over TLS.
    Stuns,
    /// TURN (RFC 8656).
    Turn,
    /// TURN over TLS.
    Turns,
}

/// The underlying transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, also below TLS.
    Tcp,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    ns: &'static str,
    /// `<credentials/>` (§3.3) rather than `<services/>` (§3.1, §3.2).
    credentials: bool,
    kind: Option<String>,
    host: Option<String>,
    port: Option<String>,
}

impl Query {
    /// Reads the payload of an IQ; `None` if it asks for something else.
    #[must_use]
    pub fn read(payload: Element<'_>) -> Option<Self> {
        let ns = NAMESPACES.into_iter().find(|ns| *ns == payload.ns())?;
        let attr = |element: Element<'_>, name| element.attr(name).map(str::to_owned);
        match payload.name() {
            "services" => Some(Self {
                ns,
                credentials: false,
                kind: attr(payload, "type"),
                host: None,
                port: None,
            }),
            "credentials" => {
                let service = payload.child("service", ns)?;
                Some(Self {
                    ns,
                    credentials: true,
                    kind: attr(service, "type"),
                    host: attr(service, "host"),
                    port: attr(service, "port"),
                })
            }
            _ => None,
        }
    }

    /// Whether these services can answer it: §3.3 wants an error where credentials are asked for of
    /// a service that is not among them.
    #[must_use]
    pub fn has_answer(&self, services: &[Service]) -> bool {
        !self.credentials || services.iter().any(|service| self.is_for(service))
    }

    /// Writes the answer: the services asked for, each with credentials of `person` that expire
    /// at `expires`, in seconds since 1970.
    pub fn write_answer(
        &self,
        services: &[Service],
        person: &str,
        expires: u64,
        writer: &mut Writer,
    ) {
        if self.credentials {
            writer.open("credentials", self.ns);
        } else {
            // §3.2: the answer says which type it is about.
            let kind = self.kind.as_deref().and_then(Kind::from_name);
            let kind = kind.map(Kind::name);
            writer.open("services", self.ns).opt_attr("type", kind);
        }
        for service in services.iter().filter(|service| self.is_for(service)) {
            service.write(self.ns, person, expires, writer);
        }
        writer.close();
    }

    fn is_for(&self, service: &Service) -> bool {
        let is = |asked: &Option<String>, known: &str| {
            asked.as_deref().is_none_or(|asked| asked == known)
        };
        is(&self.kind, service.kind.name())
            && is(&self.host, &service.host)
            && is(&self.port, &service.port.to_string())
    }
}

impl Service {
    /// Reads `turn:host:port?transport=udp` and its like (RFC 7064 §3.1, RFC 7065 §3.1).
    #[must_use]
    pub fn parse(uri: &str, secret: Option<Secret>) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let kind = Kind::from_name(scheme)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let secure = matches!(kind, Kind::Stuns | Kind::Turns);
        let transport = match query {
            "" if secure => Transport::Tcp,
            "" | "transport=udp" => Transport::Udp,
            "transport=tcp" => Transport::Tcp,
            _ => return None,
        };
        let default = if secure { 5349 } else { 3478 };
        let (host, port) = host_and_port(authority)?;
        let port = port.map_or(Some(default), |port| port.parse().ok())?;
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':');
        (!host.is_empty() && host.chars().all(legal)).then(|| Self {
            kind,
            host: host.to_owned(),
            port,
            transport,
            secret,
        })
    }

    fn write(&self, ns: &str, person: &str, expires: u64, writer: &mut Writer) {
        writer
            .open("service", ns)
            .attr("type", self.kind.name())
            .attr("host", &self.host);
        writer.attr("port", self.port.to_string()).attr(
            "transport",
            match self.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
            },
        );
        if let Some(secret) = &self.secret {
            let credentials = mint(secret, person, expires);
            writer
                .attr("restricted", "true")
                .attr("username", &credentials.username);
            writer
                .attr("password", &credentials.password)
                .attr("expires", date_time(expires));
        }
        writer.close();
    }
}

impl Kind {
    /// The name in `type=''`, which is the URI scheme too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Stun, Self::Stuns, Self::Turn, Self::Turns];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// XEP-0082 §3.2, in UTC.
pub(crate) fn date_time(unix: u64) -> String {
    let (days, rest) = (unix / 86_400, unix % 86_400);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin on 1 March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The host of an authority (RFC 3986 §3.2) without brackets, and its port if there is one.
pub(crate) fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    Some(match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    })
}

/// XEP-0215 §10.1.
pub const NS: &str = "urn:xmpp:extdisco:2";
/// The namespace before version 0.7 of the XEP, which older clients ask with.
const NS_OLD: &str = "urn:xmpp:extdisco:1";
/// Both.
pub const NAMESPACES: [&str; 2] = [NS, NS_OLD];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn answer(query: &str, services: &[Service]) -> Option<String> {
        let document = Document::parse(query.as_bytes(), "", &Limits::default()).unwrap();
        let query = Query::read(document.root())?;
        let mut writer = Writer::new("");
        query.write_answer(services, "a@b", 1_700_000_000, &mut writer);
        Some(writer.finish())
    }

    #[test]
    fn services_come_with_credentials() {
        let secret = Secret::new("s");
        let services = [
            Service::parse("stun:turn.example.org", None).unwrap(),
            Service::parse("turn:192.0.2.1:3479?transport=tcp", Some(secret.clone())).unwrap(),
        ];
        let password = secret.password("1700000000:a@b");
        let xml = answer("<services xmlns='urn:xmpp:extdisco:2'/>", &services).unwrap();
        assert_eq!(
            xml,
            format!(
                "<services xmlns='urn:xmpp:extdisco:2'><service type='stun' \
                 host='turn.example.org' port='3478' transport='udp'/><service type='turn' \
                 host='192.0.2.1' port='3479' transport='tcp' restricted='true' \
                 username='1700000000:a@b' password='{password}' \
                 expires='2023-11-14T22:13:20Z'/></services>"
            )
        );
        let xml = answer(
            "<services xmlns='urn:xmpp:extdisco:1' type='stun'/>",
            &services,
        )
        .unwrap();
        assert!(
            xml.starts_with(
                "<services xmlns='urn:xmpp:extdisco:1' type='stun'><service type='stun'"
            ),
            "{xml}"
        );
        assert!(!xml.contains("type='turn'"), "{xml}");
        assert_eq!(answer("<query xmlns='jabber:iq:roster'/>", &services), None);
    }

    #[test]
    fn credentials_are_for_the_service_that_is_named() {
        let secret = Some(Secret::new("s"));
        let services = [
            Service::parse("turn:192.0.2.1:3478", secret.clone()).unwrap(),
            Service::parse("turn:192.0.2.1:3479?transport=tcp", secret).unwrap(),
        ];
        let ask =
            |service: &str| format!("<credentials xmlns='{NS}'><service {service}/></credentials>");
        for (asked, found) in [
            ("type='turn' host='192.0.2.1'", 2),
            ("type='turn' host='192.0.2.1' port='3479'", 1),
            ("type='turn' host='192.0.2.1' port='9'", 0),
            ("type='stun' host='192.0.2.1'", 0),
            ("type='turn' host='192.0.2.2'", 0),
        ] {
            let asked = ask(asked);
            let xml = answer(&asked, &services).unwrap();
            assert_eq!(xml.matches(" password=").count(), found, "{xml}");
            let document = Document::parse(asked.as_bytes(), "", &Limits::default()).unwrap();
            let query = Query::read(document.root()).unwrap();
            assert_eq!(query.has_answer(&services), found > 0, "{asked}");
        }
    }

    #[test]
    fn uris_are_read_or_refused() {
        let parse = |uri: &str| Service::parse(uri, None).map(|s| (s.host, s.port, s.transport));
        assert_eq!(parse("turns:h"), Some(("h".into(), 5349, Transport::Tcp)));
        assert_eq!(
            parse("turn:[2001:db8::1]:9"),
            Some(("2001:db8::1".into(), 9, Transport::Udp))
        );
        for uri in [
            "http:h",
            "turn:",
            "turn:h:x",
            "turn:h?transport=sctp",
            "turn",
            "turn:h'x",
        ] {
            assert_eq!(parse(uri), None, "{uri}");
        }
    }

    #[test]
    fn dates_are_right_over_leap_days() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date_time(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(date_time(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
