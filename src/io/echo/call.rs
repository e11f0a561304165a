//! One test call.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::greeting::{Position, greet};
use super::offer::{Offer, Part};
use super::reflect::{reflect_channel, reflect_track};
use super::transports::Transports;
use super::{Line, Voice};
use crate::io::peer::{Config, Event, MediaKind, kind, payload_type};
use crate::sdp;
use crate::web::Message;

/// Runs one call until it is over, and tells the caller of its end unless the caller ended it.
pub(super) async fn run(
    config: Config,
    line: Line,
    voice: Voice,
    mut inbox: mpsc::Receiver<Message>,
) {
    let (transports, mut happened) = Transports::new(config);
    let mut call = Call {
        transports,
        audio: None,
        video: None,
        reflections: JoinSet::new(),
        line,
        voice,
    };
    let over = sleep_until(Instant::now() + LONGEST);
    tokio::pin!(over);
    let reason = loop {
        let step = tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => call.hear(message).await,
                None => Step::Over(None),
            },
            Some((transport, event)) = happened.recv() => call.happen(transport, event).await,
            () = &mut over => Step::Over(Some("success")),
        };
        if let Step::Over(reason) = step {
            break reason;
        }
    };
    call.reflections.abort_all();
    call.transports.close().await;
    if let Some(reason) = reason {
        call.voice.end(&call.line, reason, None).await;
    }
}

struct Call {
    transports: Transports,
    audio: Option<Sound>,
    video: Option<Pictures>,
    reflections: JoinSet<()>,
    line: Line,
    voice: Voice,
}

/// Where pictures go.
struct Pictures {
    transport: usize,
    track: Arc<TrackLocalStaticRTP>,
}

/// Where sound goes.
struct Sound {
    transport: usize,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    /// The greeting, until it begins.
    greeting: Option<watch::Sender<Option<Position>>>,
    /// Where the stream goes on, when the greeting is over.
    position: watch::Receiver<Option<Position>>,
    payload_type: Option<u8>,
}

/// Whether the call goes on; if not, what the caller is told.
enum Step {
    On,
    Over(Option<&'static str>),
}

impl Call {
    async fn hear(&mut self, message: Message) -> Step {
        match message {
            Message::Offer(offer) => match self.answer(&offer).await {
                Ok(answer) => {
                    self.voice.tell(&self.line, Message::Answer(answer)).await;
                    Step::On
                }
                Err(error) => {
                    debug!(%error, "An offer that the test call cannot take");
                    Step::Over(Some(error.reason()))
                }
            },
            Message::Candidates(candidates, _) => {
                for candidate in candidates {
                    self.transports.add_candidate(candidate).await;
                }
                Step::On
            }
            Message::End(_) => Step::Over(None),
            Message::Propose(_)
            | Message::Ringing
            | Message::Proceed
            | Message::Answer(_)
            | Message::Info(_) => Step::On,
        }
    }

    async fn answer(&mut self, offer: &str) -> Result<String, Error> {
        let offer = Offer::read(offer)?;
        if offer.parts.is_empty() {
            return Err(Error::Empty);
        }
        for closed in self.transports.close_others(&offer.parts).await {
            self.audio.take_if(|audio| audio.transport == closed);
            self.video.take_if(|video| video.transport == closed);
        }
        let mut answers = Vec::new();
        for part in &offer.parts {
            answers.push(self.answer_part(part).await?);
        }
        let answer = offer.answer(&answers)?;
        if let Some(audio) = &mut self.audio {
            audio.payload_type = payload_type(&answer, MediaKind::Audio);
        }
        Ok(answer)
    }

    async fn answer_part(&mut self, part: &Part) -> Result<String, Error> {
        let transport = self.transports.of(part).await.map_err(Error::NoPeer)?;
        let (number, peer) = (transport.number, &transport.peer);
        if self.audio.is_none() && part.has("audio") {
            let ssrc = rand::rng().random();
            let (greeting, position) = watch::channel(None);
            self.audio = Some(Sound {
                transport: number,
                track: peer.add_track(MediaKind::Audio, ssrc).await?,
                ssrc,
                greeting: Some(greeting),
                position,
                payload_type: None,
            });
        }
        if self.video.is_none() && part.has("video") {
            let ssrc = rand::rng().random();
            self.video = Some(Pictures {
                transport: number,
                track: peer.add_track(MediaKind::Video, ssrc).await?,
            });
        }
        Ok(peer.answer(part.description()).await?)
    }

    /// Once, as soon as there is somebody to hear it.
    fn greet(&mut self, number: usize) {
        let Some(audio) = &mut self.audio else { return };
        if audio.transport != number {
            return;
        }
        let Some(greeting) = audio.greeting.take() else {
            return;
        };
        let track = Arc::clone(&audio.track);
        match audio.payload_type {
            Some(payload_type) => {
                self.reflections
                    .spawn(greet(track, audio.ssrc, payload_type, greeting));
            }
            // It would be Greek to her.
            None => drop(greeting.send(Some(Position::default()))),
        }
    }

    async fn happen(&mut self, number: usize, event: Event) -> Step {
        let Some(transport) = self.transports.numbered(number) else {
            return Step::On; // It was closed.
        };
        match event {
            Event::Candidate(candidate) => {
                let candidates = vec![transport.candidate(candidate)];
                let message = Message::Candidates(candidates, Vec::new());
                self.voice.tell(&self.line, message).await;
            }
            Event::EndOfCandidates => {
                let message = Message::Candidates(Vec::new(), vec![transport.end_of_candidates()]);
                self.voice.tell(&self.line, message).await;
            }
            Event::Connected => self.greet(number),
            Event::Failed => return Step::Over(Some("connectivity-error")),
            Event::Track(track) => {
                let back = match kind(&*track).await {
                    MediaKind::Video => self
                        .video
                        .as_ref()
                        .filter(|video| video.transport == number)
                        .map(|video| (Arc::clone(&video.track), None)),
                    _ => self
                        .audio
                        .as_ref()
                        .filter(|audio| audio.transport == number)
                        .map(|audio| (Arc::clone(&audio.track), Some(audio.position.clone()))),
                };
                if let Some((back, position)) = back
                    && self.reflections.len() < MAX_REFLECTIONS
                {
                    self.reflections.spawn(reflect_track(track, back, position));
                }
            }
            Event::Channel(channel) => {
                if self.reflections.len() < MAX_REFLECTIONS {
                    self.reflections.spawn(reflect_channel(channel));
                }
            }
        }
        Step::On
    }
}

/// Why an offer is not answered.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no peer for it: {0}")]
    NoPeer(webrtc::error::Error),
    #[error(transparent)]
    Peer(#[from] webrtc::error::Error),
    #[error(transparent)]
    Description(#[from] sdp::Error),
    #[error("nothing is offered")]
    Empty,
}

impl Error {
    /// What the caller is told.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoPeer(_) => "failed-transport",
            Self::Peer(_) | Self::Description(_) | Self::Empty => "failed-application",
        }
    }
}

/// A test call ends by itself.
const LONGEST: Duration = Duration::from_mins(1);
/// Tracks and data channels of one call that are given back.
const MAX_REFLECTIONS: usize = 16;
