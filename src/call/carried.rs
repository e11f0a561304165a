//! Calls that a device carries: the person's other devices, of which it hears.

use jid::{BareJid, FullJid};
use tracing::debug;

use super::parties::Call;
use super::signal::Ending;
use super::{CallId, Calls, Context};
use crate::jingle::Reason;
use crate::jingle::message::{Message, Step};

impl Calls {
    /// What another device of a carrying device's own person said, to `other` where a copy of it
    /// names the receiver: that it took or refused a call which rings here as well.
    ///
    /// Only a call that rings on this very device is touched; it ends without a word to the
    /// caller, who has heard from the other device.
    pub fn handle_news(
        &mut self,
        device: &FullJid,
        other: Option<&BareJid>,
        message: &Message,
        cx: &mut Context<'_>,
    ) {
        let reason = match &message.step {
            Step::Proceed | Step::Accept | Step::Finish(_) => Reason::Cancel,
            Step::Reject(ending) => ending
                .reason
                .as_ref()
                .map_or(Reason::Decline, |reason| reason.condition),
            Step::Propose(_) | Step::Ringing | Step::Retract(_) => return,
        };
        for id in self.carried_by(device) {
            let rings = self.calls.get(&id).is_some_and(|call| {
                call.sid == message.sid
                    && call.rings_on(device)
                    && other.is_none_or(|other| call.caller() == other)
            });
            if rings {
                debug!(call.id = id.0, "Another device of the person answered");
                let ending = Ending::elsewhere(reason);
                self.with(id, cx, |call, cx| call.end(cx.out, &ending));
            }
        }
    }

    /// The calls that a device carries.
    pub(super) fn carried_by(&self, device: &FullJid) -> Vec<CallId> {
        let carries = |id: &&CallId| {
            self.calls
                .get(id)
                .is_some_and(|call| call.through.as_ref() == Some(device))
        };
        let all = self.by_device.get(device);
        all.into_iter().flatten().filter(carries).copied().collect()
    }
}

impl Call {
    /// The person whose device carries the call, if it is she who is called.
    pub(super) fn owner_called(&self) -> Option<BareJid> {
        let owner = self.through.as_ref()?.to_bare();
        (owner == *self.callee()).then_some(owner)
    }

    /// Whether a carried call rings on the device that carries it, announced by XEP-0353.
    fn rings_on(&self, device: &FullJid) -> bool {
        let announced = self
            .legs
            .first()
            .and_then(Option::as_ref)
            .is_some_and(|caller| caller.is_proposed());
        self.taken.is_none() && announced && *self.callee() == device.to_bare()
    }
}
