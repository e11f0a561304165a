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
use super::reflect::{reflect_channel, reflect_track};
use super::{Line, Voice};
use crate::io::peer::{Config, Event, MediaKind, Peer, payload_type};
use crate::web::{EndOfCandidates, Message};

/// Runs one call until it is over, and tells the caller of its end unless the caller ended it.
pub(super) async fn run(
    config: Config,
    line: Line,
    voice: Voice,
    mut inbox: mpsc::Receiver<Message>,
) {
    let (peer, mut events) = match Peer::new(config).await {
        Ok(peer) => peer,
        Err(error) => {
            debug!(%error, "No peer for a test call");
            return voice.end(&line, "failed-transport", None).await;
        }
    };
    let mut call = Call {
        peer,
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
            event = events.recv() => match event {
                Some(event) => call.happen(event).await,
                None => Step::Over(Some("connectivity-error")),
            },
            () = &mut over => Step::Over(Some("success")),
        };
        if let Step::Over(reason) = step {
            break reason;
        }
    };
    call.reflections.abort_all();
    call.peer.close().await;
    if let Some(reason) = reason {
        call.voice.end(&call.line, reason, None).await;
    }
}

struct Call {
    peer: Peer,
    audio: Option<Sound>,
    video: Option<Arc<TrackLocalStaticRTP>>,
    reflections: JoinSet<()>,
    line: Line,
    voice: Voice,
}

/// Where sound goes.
struct Sound {
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
            Message::Offer(offer) => match self.answer(offer).await {
                Ok(answer) => {
                    self.voice.tell(&self.line, Message::Answer(answer)).await;
                    Step::On
                }
                Err(error) => {
                    debug!(%error, "An offer that the test call cannot take");
                    Step::Over(Some("failed-application"))
                }
            },
            Message::Candidates(candidates, _) => {
                for candidate in candidates {
                    if let Err(error) = self.peer.add_candidate(candidate).await {
                        // One that cannot be used is not the only one.
                        debug!(%error, "A candidate was passed over");
                    }
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

    async fn answer(&mut self, offer: String) -> webrtc::error::Result<String> {
        let has = |media: &str| offer.lines().any(|line| line.starts_with(media));
        if self.audio.is_none() && has("m=audio ") {
            let ssrc = rand::rng().random();
            let (greeting, position) = watch::channel(None);
            self.audio = Some(Sound {
                track: self.peer.add_track(MediaKind::Audio, ssrc).await?,
                ssrc,
                greeting: Some(greeting),
                position,
                payload_type: None,
            });
        }
        if self.video.is_none() && has("m=video ") {
            let ssrc = rand::rng().random();
            self.video = Some(self.peer.add_track(MediaKind::Video, ssrc).await?);
        }
        let answer = self.peer.answer(offer).await?;
        if let Some(audio) = &mut self.audio {
            audio.payload_type = payload_type(&answer, MediaKind::Audio);
        }
        Ok(answer)
    }

    /// Once, as soon as there is somebody to hear it.
    fn greet(&mut self) {
        let Some(audio) = &mut self.audio else { return };
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

    async fn happen(&mut self, event: Event) -> Step {
        match event {
            Event::Candidate(candidate) => {
                let message = Message::Candidates(vec![candidate], Vec::new());
                self.voice.tell(&self.line, message).await;
            }
            Event::EndOfCandidates => {
                let end = EndOfCandidates::default();
                let message = Message::Candidates(Vec::new(), vec![end]);
                self.voice.tell(&self.line, message).await;
            }
            Event::Connected => self.greet(),
            Event::Failed => return Step::Over(Some("connectivity-error")),
            Event::Track(track) => {
                let back = match track.kind().await {
                    MediaKind::Video => self.video.clone().map(|back| (back, None)),
                    _ => self
                        .audio
                        .as_ref()
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

/// A test call ends by itself.
const LONGEST: Duration = Duration::from_mins(1);
/// Tracks and data channels of one call that are given back.
const MAX_REFLECTIONS: usize = 16;
