//! Jingle on its way to another Jingle client.

use crate::jingle::hdrext::Way;
use crate::jingle::ice_udp::Candidate;
use crate::jingle::{Action, Content, Description, Jingle, Role};

use super::{Dialect, Refusal, Report, Why, direction};

/// Cleans a stanza's payload and adapts it to the dialect of the receiver: what it says is said
/// again by our own hand, without `initiator` and `responder`. Several when the receiver takes only
/// one content in each. `owner` is the role of the sender.
///
/// # Errors
/// When nothing is left that the receiver could take.
pub fn relay(jingle: &Jingle, owner: Role, to: &Dialect) -> Result<(Vec<Jingle>, Report), Refusal> {
    let mut report = Report::default();
    let mut own = jingle.clone();
    own.initiator = None;
    own.responder = None;
    let is_new = matches!(
        own.action,
        Action::SessionInitiate | Action::SessionAccept | Action::ContentAdd
    );
    if is_new {
        own.contents = super::to_sdp::usable(jingle, &mut report)?
            .into_iter()
            .cloned()
            .collect();
    }
    if !to.data {
        own.contents.retain(|content| {
            let data = super::part::is_data(content);
            if data {
                report.note(Some(&content.name), "data channels", Why::Dialect);
            }
            !data
        });
        if own.contents.is_empty() && !jingle.contents.is_empty() {
            return Err(Refusal::UnsupportedApplications);
        }
    }
    let left_out: Vec<_> = jingle
        .contents
        .iter()
        .map(|content| &content.name)
        .filter(|name| own.contents.iter().all(|own| own.name != **name))
        .collect();
    for group in &mut own.groups {
        group.contents.retain(|name| !left_out.contains(&name));
    }
    own.groups.retain(|group| !group.contents.is_empty());
    for content in &mut own.contents {
        clean(content, owner, to, &mut report);
        // XEP-0166 wants a description in each new content; stanza and Jitsi give data channels none.
        if is_new && content.description.is_none() && super::part::is_data(content) {
            content.description = Some(Description::Data);
        }
    }
    if !to.groups && !own.groups.is_empty() {
        own.groups.clear();
        report.note(None, "group", Why::Dialect);
    }
    if !to.extension {
        own.extra = None;
    }
    Ok((split(own, to), report))
}

/// One stanza for each content or candidate, where the receiver wants it so. session-initiate and
/// session-accept are never taken apart.
pub(super) fn split(mut jingle: Jingle, to: &Dialect) -> Vec<Jingle> {
    let whole = matches!(
        jingle.action,
        Action::SessionInitiate | Action::SessionAccept
    );
    let by_candidate = to.one_candidate && jingle.action == Action::TransportInfo;
    if whole || !(to.one_content || by_candidate) {
        return vec![jingle];
    }
    let mut contents = std::mem::take(&mut jingle.contents);
    if by_candidate {
        contents = contents.into_iter().flat_map(by_candidates).collect();
    }
    // A content-reject may name none.
    if contents.len() < 2 {
        jingle.contents = contents;
        return vec![jingle];
    }
    let with = |content| Jingle {
        contents: vec![content],
        ..jingle.clone()
    };
    contents.into_iter().map(with).collect()
}

/// The content as often as its transport has candidates, each with one.
fn by_candidates(mut content: Content) -> Vec<Content> {
    let candidates = content
        .ice_mut()
        .map(|ice| std::mem::take(&mut ice.candidates));
    let candidates = candidates.unwrap_or_default();
    if candidates.is_empty() {
        return vec![content];
    }
    let with = |candidate| {
        let mut content = content.clone();
        if let Some(ice) = content.ice_mut() {
            ice.candidates.push(candidate);
        }
        content
    };
    candidates.into_iter().map(with).collect()
}

fn clean(content: &mut Content, owner: Role, to: &Dialect, report: &mut Report) {
    let section = content.name.clone();
    let dtls = content
        .ice()
        .is_some_and(|ice| !ice.fingerprints.is_empty());
    if let Some(Description::Rtp(description)) = &mut content.description {
        if dtls && description.encryption.take().is_some() {
            report.note(Some(&section), "encryption", Why::Unsafe);
        }
        for payload in &mut description.payloads {
            for parameter in &mut payload.parameters {
                // stanza writes opaque parameters as a name without a value.
                if parameter.value.is_none() {
                    parameter.value = Some(std::mem::take(&mut parameter.name));
                }
            }
        }
        for extension in &mut description.header_extensions {
            extension.senders = extension.senders.map(|way| {
                let said = direction::of_extension(way, owner);
                Way::Senders(direction::senders(said, owner))
            });
        }
        if to.values_required {
            for source in &mut description.sources {
                source
                    .parameters
                    .retain(|own| own.value.as_deref().is_some_and(|v| !v.is_empty()));
            }
        }
    }
    if let Some(ice) = content.ice_mut() {
        let before = ice.candidates.len();
        ice.candidates
            .retain(|own| super::candidate::is_for(own, to));
        for _ in ice.candidates.len()..before {
            report.note(Some(&section), "candidate", Why::Dialect);
        }
        ice.candidates = distinct(std::mem::take(&mut ice.candidates));
    }
    if !to.extension {
        content.extra = None;
    }
}

/// Each candidate once, with the attributes that XEP-0176 requires. The id is an NCName of its own:
/// those of Conversations and Dino may begin with a digit.
fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::with_capacity(candidates.len());
    for mut own in candidates {
        own.network.get_or_insert_with(|| "0".to_owned());
        // Monal names the address by itself.
        if own.related_address.is_some() {
            own.related_port.get_or_insert(0);
        }
        let said = |other: &Candidate| {
            let id = own.id.clone();
            Candidate {
                id,
                ..other.clone()
            } == own
        };
        if all.iter().any(said) {
            continue;
        }
        let is_taken = |id: &str| all.iter().any(|other| other.id.as_deref() == Some(id));
        if !own
            .id
            .as_deref()
            .is_some_and(|id| is_nc_name(id) && !is_taken(id))
        {
            own.id = Some(super::candidate::name(&own));
        }
        all.push(own);
    }
    all
}

/// Whether it is an NCName of ASCII.
fn is_nc_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}
