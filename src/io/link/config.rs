use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::credentials::Secret;

/// `[component]`: where the XMPP server is and how we prove who we are.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The component's domain, as the XMPP server knows it. Empty only while nothing was read.
    #[serde(deserialize_with = "domain")]
    pub jid: String,
    /// Host and port of the server's listener for components.
    #[serde(deserialize_with = "host_and_port")]
    pub server: String,
    /// Whether that port speaks TLS from the first byte.
    pub tls: bool,
    /// The name in the server's certificate; otherwise the host of `server`.
    pub tls_name: Option<String>,
    /// The certificate authorities to trust, PEM; otherwise those of the system.
    pub tls_ca: Option<PathBuf>,
    /// What the server calls password or secret.
    pub secret: Secret,
}

impl Config {
    /// The host of `server`, without brackets.
    pub(crate) fn host(&self) -> String {
        let host = self.server.rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_matches(['[', ']']).to_owned()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            jid: String::new(),
            server: "127.0.0.1:5347".into(),
            tls: false,
            tls_name: None,
            tls_ca: None,
            secret: Secret::default(),
        }
    }
}

fn domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let jid = jid::Jid::new(&text)
        .ok()
        .filter(|jid| jid.node().is_none() && jid.resource().is_none())
        .map(|jid| jid.domain().as_str().to_owned())
        // It stands in the stream header, between quotes.
        .filter(|domain| !domain.contains(['\'', '"', '<', '>', '&', ' ']));
    jid.ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not a domain: it is the component's name as the XMPP server knows it, such \
             as \"call.example.org\""
        ))
    })
}

fn host_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let well = match text.rsplit_once(':') {
        Some((host, port)) => {
            let bracketed = host.starts_with('[') && host.ends_with(']');
            !host.is_empty()
                && (bracketed || !host.contains(':'))
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => false,
    };
    if well {
        return Ok(text);
    }
    Err(D::Error::custom(format!(
        "{text:?} is not a host and port, such as \"127.0.0.1:5347\" or \"[::1]:5347\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn addresses_are_checked_and_the_error_says_what_it_should_be() {
        for good in [
            "localhost:5347",
            "127.0.0.1:1",
            "[::1]:5347",
            "xmpp.example.org:5275",
        ] {
            assert_eq!(parse(&format!("server = {good:?}")).unwrap().server, good);
        }
        for bad in [
            "localhost",
            "localhost:",
            ":5347",
            "localhost:0",
            "::1:5347",
            "h:99999",
        ] {
            let error = parse(&format!("server = {bad:?}")).unwrap_err();
            assert!(error.contains("127.0.0.1:5347"), "{error}");
        }
    }

    #[test]
    fn the_jid_is_a_domain() {
        assert_eq!(
            parse("jid = 'Call.Example.ORG'").unwrap().jid,
            "call.example.org"
        );
        for bad in ["a@call.example.org", "call.example.org/x", "", "a b", "a'b"] {
            let error = parse(&format!("jid = {bad:?}")).unwrap_err();
            assert!(error.contains("call.example.org"), "{error}");
        }
    }

    #[test]
    fn the_host_is_the_tls_name_unless_one_is_given() {
        assert_eq!(parse("server = '[::1]:5347'").unwrap().host(), "::1");
        assert_eq!(
            parse("server = 'xmpp.example.org:5275'").unwrap().host(),
            "xmpp.example.org"
        );
    }

    #[test]
    fn the_secret_is_not_printed() {
        let config = parse("secret = 'geheim'").unwrap();
        assert!(!format!("{config:?}").contains("geheim"));
        assert_eq!(config.secret.expose(), "geheim");
    }
}
