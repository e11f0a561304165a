//! Requests that a server makes as if one of its people had (XEP-0356 §6.3).

use crate::xml::{Element, NS_CLIENT, NS_FORWARD, Writer};

/// Writes what asks a server to make this request, of the type `get`, as `person` to her own
/// account.
pub fn write(person: &str, id: &str, payload: impl FnOnce(&mut Writer), writer: &mut Writer) {
    writer.open("privileged_iq", NS);
    writer.open("iq", NS_CLIENT).attr("type", "get");
    writer
        .attr("from", person)
        .attr("to", person)
        .attr("id", id);
    payload(writer);
    writer.close().close();
}

/// What her account answered, out of what the server answers; `None` where it did not.
#[must_use]
pub fn answer(privilege: Element<'_>) -> Option<Element<'_>> {
    let forwarded = privilege.child("forwarded", NS_FORWARD)?;
    let iq = forwarded.children().find(|child| child.name() == "iq")?;
    iq.children()
        .next()
        .filter(|_| iq.attr("type") == Some("result"))
}

/// XEP-0356 §6.
const NS: &str = "urn:xmpp:privilege:2";
