//! The peers of a test call: one for each transport of the caller.

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::debug;
use webrtc::error::Result;

use super::offer::Part;
use crate::io::peer::{Config, Event, Peer};
use crate::web::{Candidate, EndOfCandidates};

/// All of a call.
pub(super) struct Transports {
    config: Config,
    open: Vec<Transport>,
    /// How many there were.
    opened: usize,
    events: mpsc::Sender<(usize, Event)>,
    listening: JoinSet<()>,
}

/// One of them.
pub(super) struct Transport {
    /// No other one of the call has or had it.
    pub(super) number: usize,
    pub(super) peer: Peer,
    /// The sections that it carries.
    mids: Vec<String>,
    /// Which of all sections the first one is.
    index: u16,
}

impl Transports {
    /// None yet; what happens at them comes by the receiver, with their numbers.
    pub(super) fn new(config: Config) -> (Self, mpsc::Receiver<(usize, Event)>) {
        let (events, happened) = mpsc::channel(EVENTS);
        let transports = Self {
            config,
            open: Vec::new(),
            opened: 0,
            events,
            listening: JoinSet::new(),
        };
        (transports, happened)
    }

    /// The one of this part, which is opened if there is none yet.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub(super) async fn of(&mut self, part: &Part) -> Result<&Transport> {
        let known = self.open.iter().position(|own| own.carries(part));
        let mut transport = match known {
            Some(at) => self.open.swap_remove(at),
            None => self.open().await?,
        };
        transport.mids.clone_from(&part.mids);
        transport.index = part.index;
        Ok(self.open.push_mut(transport))
    }

    /// Closes those that carry none of these parts, and gives their numbers.
    pub(super) async fn close_others(&mut self, parts: &[Part]) -> Vec<usize> {
        let is_other = |own: &mut Transport| !parts.iter().any(|part| own.carries(part));
        let mut closed = Vec::new();
        for transport in self.open.extract_if(.., is_other).collect::<Vec<_>>() {
            transport.peer.close().await;
            closed.push(transport.number);
        }
        closed
    }

    /// A candidate of the caller, for one of them.
    pub(super) async fn add_candidate(&self, candidate: Candidate) {
        let is_meant = |own: &&Transport| match &candidate.mid {
            Some(mid) if !mid.is_empty() => own.mids.contains(mid),
            _ => candidate.index.is_none_or(|index| index == own.index),
        };
        let Some(transport) = self.open.iter().find(is_meant) else {
            return debug!("A candidate for no transport was passed over");
        };
        if let Err(error) = transport.peer.add_candidate(candidate).await {
            // One that cannot be used is not the only one.
            debug!(%error, "A candidate was passed over");
        }
    }

    /// The open one of that number.
    pub(super) fn numbered(&self, number: usize) -> Option<&Transport> {
        self.open.iter().find(|own| own.number == number)
    }

    /// Closes all.
    pub(super) async fn close(&self) {
        for transport in &self.open {
            transport.peer.close().await;
        }
    }

    async fn open(&mut self) -> Result<Transport> {
        let (peer, mut happening) = Peer::new(self.config.clone()).await?;
        let number = self.opened;
        self.opened += 1;
        let events = self.events.clone();
        self.listening.spawn(async move {
            while let Some(event) = happening.recv().await {
                if events.send((number, event)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Transport {
            number,
            peer,
            mids: Vec::new(),
            index: 0,
        })
    }
}

impl Transport {
    /// A candidate of its own, in the caller's words: to its peer all is one.
    pub(super) fn candidate(&self, candidate: Candidate) -> Candidate {
        Candidate {
            mid: self.mids.first().cloned(),
            index: Some(self.index),
            ..candidate
        }
    }

    /// There are no more of them.
    pub(super) fn end_of_candidates(&self) -> EndOfCandidates {
        EndOfCandidates {
            mid: self.mids.first().cloned(),
            ufrag: None,
        }
    }

    fn carries(&self, part: &Part) -> bool {
        self.mids.iter().any(|mid| part.mids.contains(mid))
    }
}

/// Events of one call that wait.
const EVENTS: usize = 64;
