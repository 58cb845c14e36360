//! What the FreeSWITCHes say of a conference room, before a call joins it.

use super::call::{Said, Switchboard};
use super::translate::room;
use crate::base::ids::CoreId;
use crate::call::room::{RoomFound, RoomQuery};
use crate::model::room::RoomView;

/// A room on one FreeSWITCH.
#[derive(Debug)]
pub struct Place {
    /// What operators call this FreeSWITCH.
    pub link: String,
    pub core: Option<CoreId>,
    pub view: RoomView,
}

/// Where a room is; and whether every FreeSWITCH said so.
pub async fn places(switchboard: &dyn Switchboard, name: &str) -> (Vec<Place>, bool) {
    let Ok(list) = room::list(name) else { return (Vec::new(), true) };
    let mut places: Vec<Place> = Vec::new();
    let mut whole = true;
    for Said { link, core, said } in switchboard.ask(None, list).await {
        match said.and_then(|said| room::view(&said)) {
            // Two links to one FreeSWITCH are one place.
            Ok(Some(_)) if core.is_some() && places.iter().any(|known| known.core == core) => {}
            Ok(Some(view)) => places.push(Place { link, core, view }),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(link, error, "a FreeSWITCH does not say whether it has a room");
                whole = false;
            }
        }
    }
    (places, whole)
}

/// Answers a call that is about to join on this FreeSWITCH.
pub(super) async fn find(
    switchboard: &dyn Switchboard,
    query: &RoomQuery,
    core: Option<CoreId>,
) -> RoomFound {
    let (places, _) = places(switchboard, &query.room).await;
    let is_here = |place: &&Place| core.is_none() || place.core.is_none() || place.core == core;
    let here = places.iter().find(is_here).map(|place| room::facts(&place.view));
    let mut elsewhere = places.iter().find(|place| !is_here(place)).map(|place| place.link.clone());
    if let Some(core) = core.filter(|_| places.is_empty()) {
        // Two that come first, each on its FreeSWITCH, would make two rooms of it.
        elsewhere = switchboard.claim(&query.room, core).await;
    }
    if let Some(elsewhere) = &elsewhere {
        let room = &query.room;
        tracing::warn!(room, %elsewhere, "another FreeSWITCH has the room: a room can't be on two");
    }
    RoomFound { here, elsewhere, known: switchboard.is_there() }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;

    use super::*;
    use crate::base::ids::{CallId, ChannelId};
    use crate::driver::call::{Claiming, Order};
    use crate::driver::registry::Heed;
    use crate::esl::command::Api;

    /// FreeSWITCHes by the number of their core, and whether each has the room; and which is about
    /// to have it.
    struct Board(Vec<(u128, bool)>, Mutex<Option<CoreId>>);

    fn core(number: u128) -> CoreId {
        CoreId(uuid::Uuid::from_u128(number))
    }

    impl Switchboard for Board {
        fn is_there(&self) -> bool {
            !self.0.is_empty()
        }
        fn order(&self, _call: CallId, _orders: Vec<Order>) {}
        fn heed(&self, _call: CallId, _channel: &ChannelId, _heed: Heed) {}
        fn claim<'a>(&'a self, _room: &'a str, core: CoreId) -> Claiming<'a> {
            let claimed = *self.1.lock().unwrap().get_or_insert(core);
            Box::pin(async move { (claimed != core).then(|| format!("fs of {claimed}")) })
        }
        fn ask(
            &self,
            _core: Option<CoreId>,
            _api: Api,
        ) -> Pin<Box<dyn Future<Output = Vec<Said>> + Send + '_>> {
            let said = self.0.iter().map(|(number, has)| {
                let list = r#"[{"locked": false, "members": [{"id": 1}]}]"#;
                let none = "-ERR Conference t1-a not found";
                let said = Ok(if *has { list } else { none }.to_owned());
                Said { link: format!("fs{number}"), core: Some(core(*number)), said }
            });
            let said = said.collect();
            Box::pin(async move { said })
        }
    }

    async fn found(board: &[(u128, bool)]) -> RoomFound {
        let query = RoomQuery { room: "t1-a".into() };
        find(&Board(board.to_vec(), Mutex::default()), &query, Some(core(1))).await
    }

    #[tokio::test]
    async fn of_two_who_come_first_on_two_freeswitches_one_is_refused() {
        let board = Board(vec![(1, false), (2, false)], Mutex::default());
        let query = RoomQuery { room: "t1-a".into() };
        let first = find(&board, &query, Some(core(1))).await;
        let second = find(&board, &query, Some(core(2))).await;
        assert_eq!((first.here, first.elsewhere), (None, None));
        assert_eq!(second.elsewhere, Some(format!("fs of {}", core(1))));
        let again = find(&board, &query, Some(core(1))).await;
        assert_eq!(again.elsewhere, None, "another on the same FreeSWITCH may come as well");
    }

    #[tokio::test]
    async fn a_room_on_another_freeswitch_is_elsewhere_and_two_links_to_one_are_not() {
        let here = found(&[(1, true), (2, false)]).await;
        assert_eq!((here.here.map(|facts| facts.members), here.elsewhere), (Some(1), None));
        let twice = found(&[(1, true), (1, true)]).await;
        assert_eq!((twice.here.is_some(), twice.elsewhere), (true, None));
        let there = found(&[(1, false), (2, true)]).await;
        assert_eq!((there.here, there.elsewhere.as_deref()), (None, Some("fs2")));
        assert!(!found(&[]).await.known);
    }
}
