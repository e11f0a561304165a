//! A call, as a browser app places it: SDP to the callee's address, candidates, media.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::RTCIceServer;

use super::client::{Client, Refusal};
use super::finding::{CAMPANA, FIREWALL};
use super::media::{self, Sender, Tally};
use super::relay::Reached;
use super::stun::Server;
use super::{Config, Fault, Finding, Report, Step};
use crate::io::peer::{self, Event, MediaKind, Peer, payload_type};
use crate::web::{End, EndOfCandidates, Message, NS, Session};
use crate::xml::Document;

/// Calls, and tells whether the call comes about and whether media flows.
pub(super) async fn examine(
    client: &mut Client,
    config: &Config,
    reached: &Reached,
    report: &mut Report<impl FnMut(&Finding)>,
) {
    let began = Instant::now();
    let mut call = match Call::new(client, config, reached).await {
        Ok(call) => call,
        Err(error) => {
            let fault = Fault::new(format!("no WebRTC peer on this machine: {error}"))
                .advise("this machine", "it must let UDP sockets be bound");
            return report.fails(Step::Call, fault);
        }
    };
    match call.connect().await {
        Ok(()) => {
            let took = began.elapsed().as_millis();
            report.holds(
                Step::Call,
                format!("{} picked up, and media can flow, {took} ms", config.callee),
            );
            let exchanged = call.exchange().await;
            report.note(Step::Media, exchanged);
        }
        Err(fault) => report.fails(Step::Call, fault),
    }
    call.end().await;
}

struct Call<'a> {
    client: &'a mut Client,
    config: &'a Config,
    sid: String,
    /// Where the other side is, as far as it is known.
    other: String,
    peer: Peer,
    events: mpsc::Receiver<Event>,
    audio: Track,
    video: Track,
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
    progress: Progress,
}

struct Track {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    payload_type: Option<u8>,
}

/// How far the call is.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Progress {
    /// Nobody has picked up.
    Calling,
    /// Somebody has, and media seeks its way.
    Answered,
    Connected,
    /// No way was found, or it was lost.
    NoWay,
    /// The other side hung up, for this reason.
    Ended(String),
}

impl<'a> Call<'a> {
    async fn new(
        client: &'a mut Client,
        config: &'a Config,
        reached: &Reached,
    ) -> webrtc::error::Result<Self> {
        let mut addresses: Vec<_> = reached.hosts.iter().copied().collect();
        if addresses.is_empty() {
            addresses.push(Ipv4Addr::UNSPECIFIED.into());
        }
        let (peer, events) = Peer::new(peer::Config {
            addresses,
            servers: reached.servers.iter().map(ice_server).collect(),
            relay_only: false,
        })
        .await?;
        let audio = Track::add(&peer, MediaKind::Audio).await?;
        let video = Track::add(&peer, MediaKind::Video).await?;
        let channel = peer.open_channel("doctor").await?;
        let mut call = Self {
            client,
            config,
            sid: random(),
            other: config.callee.clone(),
            peer,
            events,
            audio,
            video,
            tally: Arc::default(),
            tasks: JoinSet::new(),
            progress: Progress::Calling,
        };
        let tally = Arc::clone(&call.tally);
        call.tasks.spawn(media::exchange(channel, random(), tally));
        Ok(call)
    }

    /// Until media can flow.
    async fn connect(&mut self) -> Result<(), Fault> {
        let sdp = self
            .peer
            .offer()
            .await
            .map_err(|error| Fault::new(format!("the WebRTC peer has no offer: {error}")))?;
        let offer = session(&self.sid, Message::Offer(sdp));
        self.client
            .ask("set", &self.config.callee, |writer| offer.write(writer))
            .await
            .map_err(|refusal| self.refused(&refusal))?;
        let ringing = if self.config.is_echo {
            PICK_UP
        } else {
            RINGING
        };
        self.run_until(Instant::now() + ringing, |call| {
            call.progress != Progress::Calling
        })
        .await;
        if self.progress == Progress::Calling {
            let callee = &self.config.callee;
            return Err(Fault::new(format!(
                "{callee} did not pick up within {} s",
                ringing.as_secs()
            ))
            .advise(
                CAMPANA,
                "log.level = \"debug\", and look at what campana run says",
            ));
        }
        self.run_until(Instant::now() + CONNECT, |call| {
            call.progress != Progress::Answered
        })
        .await;
        match &self.progress {
            Progress::Connected => Ok(()),
            Progress::Ended(reason) if reason != "connectivity-error" => {
                Err(
                    Fault::new(format!("{} hung up: {reason}", self.config.callee)).advise(
                        CAMPANA,
                        "limits.echo_calls: test calls at a time; log.level = \"debug\" tells more",
                    ),
                )
            }
            _ => Err(
                Fault::new("no media: no way was found between the two ends")
                    .advise(
                        CAMPANA,
                        "turn.relay_address and turn.allow_peers: the relay must reach the callee",
                    )
                    .advise(
                        FIREWALL,
                        "let UDP out to, and in from, both ends and turn.relay_ports",
                    ),
            ),
        }
    }

    /// Sends, and waits for what comes back.
    async fn exchange(&mut self) -> Result<((), String), Fault> {
        if let Some(sender) = self.audio.sender() {
            self.tasks.spawn(sender.send_sound(Arc::clone(&self.tally)));
        }
        if let Some(sender) = self.video.sender() {
            self.tasks
                .spawn(sender.send_pictures(Arc::clone(&self.tally)));
        }
        self.run_until(Instant::now() + MEDIA, |call| {
            call.enough() || call.progress != Progress::Connected
        })
        .await;
        let counted = self.counted();
        if self.enough() {
            return Ok(((), counted));
        }
        let fault = Fault::new(format!("no media, or too little, comes back: {counted}"));
        Err(if self.config.is_echo {
            fault
                .advise(
                    FIREWALL,
                    "let UDP in and out between this machine and the service",
                )
                .advise(
                    CAMPANA,
                    "log.level = \"debug\", and look at what campana run says",
                )
        } else {
            fault.advise(
                "callee",
                format!(
                    "{}: its microphone must be on; without --call the test call shows whether \
                     Campana is at fault",
                    self.config.callee
                ),
            )
        })
    }

    fn enough(&self) -> bool {
        let Tally {
            audio,
            video,
            message,
        } = &*self.tally;
        if self.config.is_echo {
            audio.own() >= ENOUGH_SOUND
                && video.own() >= ENOUGH_PICTURES
                && message.load(Ordering::Relaxed)
        } else {
            audio.came() >= ENOUGH_SOUND
        }
    }

    fn counted(&self) -> String {
        let Tally {
            audio,
            video,
            message,
        } = &*self.tally;
        if self.config.is_echo {
            let message = if message.load(Ordering::Relaxed) {
                "a message came back"
            } else {
                "no message came back"
            };
            format!(
                "sound: {} packets sent, {} returned; pictures: {} sent, {} returned; {message}",
                audio.sent(),
                audio.own(),
                video.sent(),
                video.own()
            )
        } else {
            format!(
                "sound: {} packets sent, {} received; pictures: {} sent, {} received",
                audio.sent(),
                audio.came(),
                video.sent(),
                video.came()
            )
        }
    }

    fn refused(&self, refusal: &Refusal) -> Fault {
        let fault = Fault::new(format!("{} refuses: {refusal}", self.config.callee));
        if self.config.is_echo {
            fault
                .advise(
                    CAMPANA,
                    "limits.echo_calls: more than 0, or there is no test call",
                )
                .advise(
                    CAMPANA,
                    "turn.credential_domains: the domain of these people, if it is not the parent \
                     of component.jid",
                )
        } else {
            fault.advise(
                CAMPANA,
                "access.mode: with \"contacts\" the callee must send her presence to this account",
            )
        }
    }

    /// Hangs up.
    async fn end(mut self) {
        if !matches!(self.progress, Progress::Ended(_)) {
            let end = End {
                reason: "success".to_owned(),
                ..End::default()
            };
            self.tell(Message::End(end)).await;
        }
        self.tasks.abort_all();
        self.peer.close().await;
    }

    /// Lets the call go on until something is so, or it is too late.
    async fn run_until(&mut self, late: Instant, is_so: impl Fn(&Self) -> bool) {
        let mut look = interval(LOOK);
        while !is_so(self) {
            tokio::select! {
                stanza = self.client.next() => match stanza {
                    Ok(stanza) => self.hear(&stanza).await,
                    Err(_) => {
                        self.progress = Progress::Ended("the XMPP server closed the stream".into());
                    }
                },
                Some(event) = self.events.recv() => self.happen(event).await,
                _ = look.tick() => {}
                () = sleep_until(late) => return,
            }
        }
    }

    async fn hear(&mut self, stanza: &Document) {
        let root = stanza.root();
        if root.name() != "iq" || !matches!(root.attr("type"), Some("get" | "set")) {
            return;
        }
        // Whoever asks is told that it arrived; what is not of this call needs no more.
        self.client.acknowledge(stanza).await.ok();
        let Some(Ok(session)) = root.child("session", NS).map(Session::read) else {
            return;
        };
        if session.sid != self.sid {
            return;
        }
        if let Some(from) = root.attr("from") {
            from.clone_into(&mut self.other);
        }
        match session.message {
            Message::Answer(sdp) => {
                self.audio.payload_type = payload_type(&sdp, MediaKind::Audio);
                self.video.payload_type = payload_type(&sdp, MediaKind::Video);
                self.progress = match self.peer.accept(sdp).await {
                    Ok(()) if self.progress == Progress::Calling => Progress::Answered,
                    Ok(()) => return,
                    Err(error) => Progress::Ended(format!("an answer that is no good: {error}")),
                };
            }
            Message::Candidates(candidates, _) => {
                for candidate in candidates {
                    // One that cannot be used is not the only one.
                    self.peer.add_candidate(candidate).await.ok();
                }
            }
            Message::End(end) => {
                let text = end
                    .text
                    .map(|text| format!(" ({text})"))
                    .unwrap_or_default();
                self.progress = Progress::Ended(end.reason + &text);
            }
            Message::Propose(_)
            | Message::Ringing
            | Message::Proceed
            | Message::Offer(_)
            | Message::Info(_) => {}
        }
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::Candidate(candidate) => {
                self.tell(Message::Candidates(vec![candidate], Vec::new()))
                    .await;
            }
            Event::EndOfCandidates => {
                let end = EndOfCandidates::default();
                self.tell(Message::Candidates(Vec::new(), vec![end])).await;
            }
            Event::Connected => self.progress = Progress::Connected,
            Event::Failed => self.progress = Progress::NoWay,
            Event::Track(track) => {
                let tally = Arc::clone(&self.tally);
                self.tasks.spawn(media::receive(track, tally));
            }
            Event::Channel(_) => {}
        }
    }

    /// Says something in the call; whether it arrived shows in what follows.
    async fn tell(&mut self, message: Message) {
        let session = session(&self.sid, message);
        self.client
            .tell("set", &self.other, |writer| session.write(writer))
            .await
            .ok();
    }
}

impl Track {
    async fn add(peer: &Peer, kind: MediaKind) -> webrtc::error::Result<Self> {
        let ssrc = rand::rng().random();
        Ok(Self {
            track: peer.add_track(kind, ssrc).await?,
            ssrc,
            payload_type: None,
        })
    }

    /// To send on it, if the callee takes what we have.
    fn sender(&self) -> Option<Sender> {
        Some(Sender {
            track: Arc::clone(&self.track),
            ssrc: self.ssrc,
            payload_type: self.payload_type?,
        })
    }
}

fn session(sid: &str, message: Message) -> Session {
    Session {
        sid: sid.to_owned(),
        peer: None,
        message,
    }
}

fn ice_server(server: &Server) -> RTCIceServer {
    RTCIceServer {
        urls: vec![server.to_string()],
        username: server.username.clone(),
        credential: server.password.expose().to_owned(),
    }
}

fn random() -> String {
    HEXLOWER.encode(&rand::rng().random::<[u8; 12]>())
}

/// For the test call to pick up.
const PICK_UP: Duration = Duration::from_secs(3);
/// For a person to pick up.
const RINGING: Duration = Duration::from_secs(30);
/// For ICE and DTLS.
const CONNECT: Duration = Duration::from_secs(4);
/// For what is sent to come back; a greeting of a second comes first.
const MEDIA: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(50);
/// Half a second of sound.
const ENOUGH_SOUND: usize = 25;
const ENOUGH_PICTURES: usize = 5;
