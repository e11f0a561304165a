//! The serialiser. It cannot fail: values that would break the grammar do not exist.

use std::fmt;

use super::{Bandwidth, Line, Media, Origin, Session};

/// Writes the description with CRLF line ends.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        self.origin.fmt(f)?;
        write!(f, "s={}\r\n", self.name)?;
        each(f, &self.information)?;
        each(f, &self.bandwidths)?;
        each(f, &self.timing)?;
        each(f, &self.attributes)?;
        each(f, &self.media)
    }
}

/// Writes the section from its m-line to its last attribute.
impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        if let Some(title) = &self.title {
            write!(f, "i={title}\r\n")?;
        }
        for connection in &self.connections {
            write!(f, "c={connection}\r\n")?;
        }
        each(f, &self.bandwidths)?;
        each(f, &self.attributes)
    }
}

/// Writes the whole line.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            username,
            session_id,
            version,
            network,
            address_type,
            address,
        } = self;
        write!(
            f,
            "o={username} {session_id} {version} {network} {address_type} {address}\r\n"
        )
    }
}

/// Writes the whole line.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b={}:{}\r\n", self.kind, self.value)
    }
}

/// Writes the whole line.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}\r\n", self.kind, self.value)
    }
}

fn each(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    items.iter().try_for_each(|item| item.fmt(f))
}
