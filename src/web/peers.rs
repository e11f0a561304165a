use super::{Media, NS};
use crate::xml::{Element, Writer};

/// The request `<peers/>`: whom may I call?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeersRequest {
    /// `watch`: whether changes are to be pushed. `None` leaves that as it is.
    pub watch: Option<bool>,
    /// The page that is asked for (XEP-0059 §2).
    pub page: PageRequest,
}

/// What `<set/>` of XEP-0059 asks for. Items are named by their JID and stand in its order, so
/// pages stay right while people come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// At most so many; 0 asks for the count alone (§2.7).
    pub max: Option<usize>,
    /// Those behind this one.
    pub after: Option<String>,
    /// Those before this one; empty for the last page (§2.5).
    pub before: Option<String>,
}

/// `<peer/>`: somebody who may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Her bare JID.
    pub jid: String,
    /// Her gateway address.
    pub address: String,
    /// What the asker calls her in his roster.
    pub name: Option<String>,
    /// RFC 6121 §4.7.2.1, or `available` or `unavailable`.
    pub show: &'static str,
    /// What can be called, device by device.
    pub devices: Vec<PeerDevice>,
}

/// `<device/>` of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerDevice {
    /// What it takes.
    pub media: Media,
    /// Whether it is a browser app; otherwise an IM client.
    pub is_web: bool,
    /// Whether it rings when her own address is called: it carries its calls, or knows XEP-0353.
    pub own: bool,
}

impl PeersRequest {
    /// Reads the element.
    #[must_use]
    pub fn read(element: Element<'_>) -> Self {
        let watch = match element.attr("watch") {
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            _ => None,
        };
        let page = element.child("set", NS_RSM).map(PageRequest::read);
        Self {
            watch,
            page: page.unwrap_or_default(),
        }
    }
}

impl PageRequest {
    fn read(set: Element<'_>) -> Self {
        let text = |name| {
            set.child(name, NS_RSM)
                .map(|child| child.text().trim().to_owned())
        };
        Self {
            max: text("max").and_then(|max| max.parse().ok()),
            after: text("after").filter(|after| !after.is_empty()),
            before: text("before"),
        }
    }

    /// Writes the children of `<peers/>`: the page of `peers`, which are sorted by JID, that is
    /// asked for, cut where it would pass `bytes`; and `<set/>` where that is not all of them or
    /// it was asked for.
    pub fn write(&self, peers: &[Peer], bytes: usize, writer: &mut Writer) {
        let behind = |jid: &str| peers.partition_point(|peer| peer.jid.as_str() <= jid);
        let start = self.after.as_deref().map_or(0, behind);
        let end = match self.before.as_deref() {
            None | Some("") => peers.len(),
            Some(jid) => peers.partition_point(|peer| peer.jid.as_str() < jid),
        };
        let range = start..end.max(start);
        let all = peers.get(range.clone()).unwrap_or_default();
        let fits = |peer: &Peer, sum: &mut usize| {
            *sum += peer.most_bytes();
            *sum <= bytes
        };
        let mut sum = 0;
        let max = self.max.unwrap_or(usize::MAX);
        // Asked from the end, the page is the last of them (XEP-0059 §2.4, §2.5).
        let (first, page) = if self.before.is_some() && self.after.is_none() {
            let count = all.iter().rev().take(max).take_while(|p| fits(p, &mut sum));
            let from = all.len() - count.count();
            (from, all.get(from..))
        } else {
            let count = all.iter().take(max).take_while(|p| fits(p, &mut sum));
            (0, all.get(..count.count()))
        };
        let page = page.unwrap_or_default();
        page.iter().for_each(|peer| peer.write(writer));
        if page.len() < peers.len() || *self != Self::default() {
            writer.open("set", NS_RSM);
            if let (Some(one), Some(last)) = (page.first(), page.last()) {
                let index = (range.start + first).to_string();
                writer.open("first", NS_RSM).attr("index", index);
                writer.text(&one.jid).close();
                writer.leaf("last", NS_RSM, &last.jid);
            }
            writer
                .leaf("count", NS_RSM, peers.len().to_string())
                .close();
        }
    }
}

impl Peer {
    /// Writes the element.
    pub fn write(&self, writer: &mut Writer) {
        let media = self
            .devices
            .iter()
            .fold(Media::default(), |all, device| all.union(device.media));
        writer.open("peer", NS).attr("jid", &self.jid);
        writer.attr("address", &self.address);
        writer.opt_attr("name", self.name.as_ref());
        writer.attr("show", self.show);
        writer.opt_attr("media", (!media.is_empty()).then(|| media.to_string()));
        for device in &self.devices {
            writer.open("device", NS);
            writer.attr("media", device.media.to_string());
            let kind = if device.is_web { "web" } else { "jingle" };
            writer.attr("type", kind);
            writer.opt_attr("own", device.own.then_some("true"));
            writer.close();
        }
        writer.close();
    }

    /// Bytes of the element, were each character of its texts an entity.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        let name = self.name.as_deref().unwrap_or_default();
        let escaped = |text: &str| {
            let entities = text.bytes().filter(|b| b"&<>'\"\n\t\r".contains(b));
            text.len() + 5 * entities.count()
        };
        PEER_BYTES
            + escaped(&self.jid)
            + escaped(&self.address)
            + escaped(name)
            + self.devices.len() * DEVICE_BYTES
    }
}

/// XEP-0059.
const NS_RSM: &str = "http://jabber.org/protocol/rsm";
/// `<peer jid='' address='' name='' show='unavailable' media='audio video'></peer>`.
const PEER_BYTES: usize = 80;
/// `<device media='audio video' type='jingle' own='true'/>`.
const DEVICE_BYTES: usize = 55;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn people(count: usize) -> Vec<Peer> {
        let peer = |n| Peer {
            jid: format!("p{n:04}@example.org"),
            address: format!("p{n:04}\\40example.org@call.example.org"),
            name: Some(format!("Person & Co <{n}>")),
            show: "available",
            devices: vec![PeerDevice {
                media: Media::BOTH,
                is_web: n % 2 == 0,
                own: n % 3 == 0,
            }],
        };
        (0..count).map(peer).collect()
    }

    fn ask(set: &str, peers: &[Peer], bytes: usize) -> Document {
        let request = format!("<peers xmlns='{NS}'>{set}</peers>");
        let request = Document::parse(request.as_bytes(), "", &Limits::default()).unwrap();
        let mut writer = Writer::new("");
        writer.open("peers", NS);
        PeersRequest::read(request.root())
            .page
            .write(peers, bytes, &mut writer);
        let text = writer.finish();
        assert!(text.len() < bytes + 400, "{} bytes", text.len());
        Document::parse(text.as_bytes(), "", &Limits::default()).unwrap()
    }

    fn jids(answer: &Document) -> Vec<String> {
        let peers = answer.root().children().filter(|c| c.name() == "peer");
        peers
            .filter_map(|c| c.attr("jid").map(str::to_owned))
            .collect()
    }

    fn set(answer: &Document, name: &str) -> Option<String> {
        let set = answer.root().child("set", NS_RSM)?;
        Some(set.child(name, NS_RSM)?.text().into_owned())
    }

    #[test]
    fn a_thousand_come_in_pages_that_fit() {
        let all = people(1_000);
        let mut seen = Vec::new();
        let mut request = String::new();
        let mut pages = 0;
        loop {
            let answer = ask(&request, &all, 128 * 1024);
            assert_eq!(set(&answer, "count").as_deref(), Some("1000"));
            seen.extend(jids(&answer));
            pages += 1;
            let Some(last) = set(&answer, "last") else {
                break;
            };
            request = format!("<set xmlns='{NS_RSM}'><after>{last}</after></set>");
        }
        assert_eq!(seen.len(), 1_000);
        assert!(seen.windows(2).all(|two| two[0] < two[1]));
        assert_eq!(pages, 3, "two pages, and one that says there is no more");
    }

    #[test]
    fn a_few_need_no_page() {
        let answer = ask("", &people(3), 128 * 1024);
        assert_eq!(jids(&answer).len(), 3);
        assert!(answer.root().child("set", NS_RSM).is_none());
    }

    #[test]
    fn pages_as_they_are_asked_for() {
        let all = people(10);
        let page = |inner: &str| {
            let answer = ask(
                &format!("<set xmlns='{NS_RSM}'>{inner}</set>"),
                &all,
                65_536,
            );
            let numbers = jids(&answer).into_iter().map(|j| j[1..5].parse().unwrap());
            (
                numbers.collect::<Vec<u32>>(),
                set(&answer, "count").unwrap(),
            )
        };
        let ten = || "10".to_owned();
        assert_eq!(page("<max>2</max>"), (vec![0, 1], ten()));
        assert_eq!(
            page("<max>2</max><after>p0001@example.org</after>"),
            (vec![2, 3], ten())
        );
        assert_eq!(page("<max>2</max><before/>"), (vec![8, 9], ten()));
        assert_eq!(
            page("<max>2</max><before>p0008@example.org</before>"),
            (vec![6, 7], ten())
        );
        assert_eq!(page("<max>0</max>"), (vec![], ten()));
        // One who has gone meanwhile is no obstacle.
        assert_eq!(
            page("<max>1</max><after>p0001@example.orh</after>"),
            (vec![2], ten())
        );
    }
}
