//! The operator's Sofia profiles.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::model::access::Power;
use crate::model::profile::{PREFIX, Profile, ProfileSettings, is_own};
use crate::model::sip::ProfileName;
use crate::sip::{ProfileStanding, ProfileState};
use crate::store::{Operator, StoreError};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/profiles", "/v1/profiles/{profile}");
    let manage = Power::ProfilesManage;
    vec![
        Endpoint::new(Method::GET, all, manage, "The Sofia profiles that are kept here", list),
        Endpoint::new(Method::GET, one, manage, "A Sofia profile", show),
        Endpoint::new(
            Method::PUT,
            one,
            manage,
            "Lay down a Sofia profile; FreeSWITCH starts it, or takes over what is new in it",
            lay_down,
        ),
        Endpoint::new(
            Method::DELETE,
            one,
            manage,
            "Forget a Sofia profile that no gateway names; FreeSWITCH stops it",
            remove,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/profiles/{profile}/state",
            manage,
            "How a Sofia profile stands in each FreeSWITCH",
            state,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneProfile {
    profile: ProfileName,
}

/// How a profile stands in one FreeSWITCH.
#[derive(Debug, Serialize, JsonSchema)]
struct ProfileInSwitch {
    /// The FreeSWITCH, as it introduces itself.
    switch: String,
    standing: ProfileStanding,
    /// The same in words.
    explained: String,
    /// Where it listens: address and port, as FreeSWITCH tells them.
    listens: Vec<String>,
    /// Legs of calls on it.
    calls: u32,
    /// Phones that are registered there.
    registrations: u32,
}

impl From<ProfileState> for ProfileInSwitch {
    fn from(state: ProfileState) -> Self {
        let ProfileState { switch, standing, explained, listens, calls, registrations } = state;
        Self { switch, standing, explained, listens, calls, registrations }
    }
}

async fn list(asked: Asked<Operator>) -> Result<Reply<Page<Profile>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.profiles().await?)))
}

async fn show(asked: Asked<Operator, OneProfile>) -> Result<Reply<Profile>, Problem> {
    Ok(Reply(asked.whose.profile(&asked.path.profile).await?))
}

async fn lay_down(
    asked: Asked<Operator, OneProfile, Nothing, ProfileSettings>,
) -> Result<Reply<Profile>, Problem> {
    let Asked { whose, path, body, seen, .. } = asked;
    let name = path.profile;
    if !is_own(name.as_str()) {
        let why = format!("expected `{PREFIX}…`: other names are for FreeSWITCH's own files");
        return Err(Problem::invalid(why).at("profile"));
    }
    match whose.profile(&name).await {
        Ok(before) => seen.still(&before)?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Reply(whose.put_profile(&name, &body).await?))
}

async fn remove(asked: Asked<Operator, OneProfile>) -> Result<Done, Problem> {
    asked.whose.remove_profile(&asked.path.profile).await?;
    Ok(DONE)
}

async fn state(
    asked: Asked<Operator, OneProfile>,
) -> Result<Reply<Page<ProfileInSwitch>>, Problem> {
    let profile = asked.whose.profile(&asked.path.profile).await?;
    let states = asked.api.accounts().profile_states(profile.name.as_str()).await;
    Ok(Reply(Page::whole(states.into_iter().map(Into::into).collect())))
}
