//! A session in which nothing happens, as for most of a call, takes little room.

use std::collections::VecDeque;

use super::agreed::can_restart;
use super::{BundlePolicy, Name, Section, Session};
use crate::jingle::ice_udp::Flavour;
use crate::jingle::{Role, Sid};
use crate::mapping::{Dialect, Refusal, Report};
use crate::sdp::Kept;

/// What a [`Session`] has agreed on, until something is asked of it again.
#[derive(Clone, Debug)]
pub struct Resting {
    sid: Sid,
    role: Role,
    dialect: &'static Dialect,
    policy: BundlePolicy,
    sections: Box<[Section]>,
    local: Kept,
    peer: Kept,
    flavour: Flavour,
    version: u64,
    parked: Box<[Name]>,
    retired: Box<[String]>,
    receipts: u32,
    generation: u32,
    unwanted: u32,
    stale: bool,
    restarts: bool,
    far_restarts: bool,
}

impl Session {
    /// Puts the session to rest.
    ///
    /// # Errors
    /// Gives the session back while something is under way.
    pub fn rest(self: Box<Self>) -> Result<Resting, Box<Self>> {
        let busy = self.pending.is_some()
            || !self.queue.is_empty()
            || !self.withdrawn.is_empty()
            || !self.modifying.is_empty()
            || !self.report.is_empty();
        let (Some(local), Some(peer), false) = (&self.local, &self.peer, busy) else {
            return Err(self);
        };
        let (local, peer) = (Kept::from(local), Kept::from(peer));
        let Self {
            sid,
            role,
            dialect,
            policy,
            sections,
            local: _,
            // Both were for the first answer and for those under way.
            remote: _,
            early: _,
            flavour,
            report: _,
            peer: _,
            version,
            pending: _,
            queue: _,
            withdrawn: _,
            parked,
            retired,
            receipts,
            modifying: _,
            generation,
            unwanted,
            stale,
            restarts,
            far_restarts,
        } = *self;
        Ok(Resting {
            sid,
            role,
            dialect,
            policy,
            sections: sections.into_boxed_slice(),
            local,
            peer,
            flavour,
            version,
            parked: parked.into_boxed_slice(),
            retired: retired.into_iter().collect(),
            receipts,
            generation,
            unwanted,
            stale,
            restarts,
            far_restarts,
        })
    }
}

impl Resting {
    /// The session, as it was.
    ///
    /// # Errors
    /// When a description cannot be read any more, which does not happen.
    pub fn wake(&self) -> Result<Box<Session>, Refusal> {
        Ok(Box::new(Session {
            sid: self.sid.clone(),
            role: self.role,
            dialect: self.dialect,
            policy: self.policy,
            sections: self.sections.to_vec(),
            local: Some(self.local.read()?),
            remote: None,
            early: Vec::new(),
            flavour: self.flavour,
            report: Report::default(),
            peer: Some(self.peer.read()?),
            version: self.version,
            pending: None,
            queue: VecDeque::new(),
            withdrawn: Vec::new(),
            parked: self.parked.to_vec(),
            retired: self.retired.iter().cloned().collect(),
            receipts: self.receipts,
            modifying: Vec::new(),
            generation: self.generation,
            unwanted: self.unwanted,
            stale: self.stale,
            restarts: self.restarts,
            far_restarts: self.far_restarts,
        }))
    }

    /// As [`Session::can_restart`].
    pub fn can_restart(&self) -> bool {
        self.restarts && can_restart(self.dialect, self.role)
    }

    /// As [`Session::set_dialect`].
    pub fn set_dialect(&mut self, dialect: &'static Dialect) {
        self.dialect = dialect;
    }

    /// The descriptions that are kept: the browser's, and the peer's as the browser knows it.
    pub fn descriptions(&self) -> [&Kept; 2] {
        [&self.local, &self.peer]
    }
}
