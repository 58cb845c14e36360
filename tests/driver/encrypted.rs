//! A call whose sound has to stay encrypted.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright::base::ids::{CallId, FlowName, TenantId};
use callwright::base::now::Now;
use callwright::call::admission::Arriving;
use callwright::driver::session::{Router, Session};
use callwright::driver::translate::arrival::Inquiry;
use callwright::flow::program::Program;
use callwright::model::admission::TurnedAway;
use callwright::simulator::Channel;
use uuid::Uuid;

use super::support::{One, router, script, settings};

const FLOW: &str = "
callwright: 1
start: answer
steps:
  answer: { kind: answer, next: bye }
  bye: { kind: hangup }
";

/// Finds that the call has to be encrypted, and whether it is.
struct Strict {
    one: One,
    encrypted: bool,
}

impl Router for Strict {
    fn route(&self, inquiry: &Inquiry) -> Result<Arc<Program>, String> {
        self.one.route(inquiry)
    }

    fn arrive(&self, inquiry: &Inquiry) -> Result<Arriving, String> {
        let mut arriving = Arriving::plain(self.route(inquiry)?);
        arriving.encrypted = true;
        let declined = TurnedAway::unencrypted("the gateway `carrier`");
        arriving.screening.turned_away = (!self.encrypted).then_some(declined);
        Ok(arriving)
    }

    fn program(
        &self,
        tenant: TenantId,
        main: &FlowName,
        versions: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String> {
        self.one.program(tenant, main, versions)
    }
}

/// All that is said to FreeSWITCH until it has heard the call's beginning.
fn said(encrypted: bool) -> String {
    let script = script("dial: '100'\nsteps: []");
    let now = Now::new(0, "2026-11-23T10:00:00Z".parse().unwrap());
    let call = script.call("4be9781d-c0f1-4d7a-a521-b795cb3d13f7");
    let mut channel = Channel::new(call, Arc::new(script.world()), now);
    let mut session = Session::new(CallId(Uuid::from_u128(1)), None, now);
    let (router, settings) = (Strict { one: router(FLOW), encrypted }, settings());
    channel.connected(now);
    let mut said = Vec::new();
    while let Some(bytes) = session.transmit() {
        said.extend_from_slice(&bytes);
        channel.receive(&bytes, now);
        session.buffer().extend_from_slice(&channel.transmit());
        session.received(now, &settings, &router);
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn no_later_offer_makes_an_encrypted_call_clear() {
    let said = said(true);
    let stays = said.find("rtp_secure_media_inbound=mandatory").expect("it is told");
    assert!(stays < said.find("execute-app-name: answer").expect("it is answered"), "{said}");
}

#[test]
fn a_call_in_clear_is_declined_before_it_is_answered() {
    let said = said(false);
    assert!(said.contains("INCOMPATIBLE_DESTINATION"), "{said}");
    assert!(!said.contains("execute-app-name: answer"), "{said}");
}
