//! The operator's Sofia profiles.

use sqlx::FromRow;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{Operator, Store, StoreError, now_ms, timestamp};
use crate::model::gateway::GatewaySettings;
use crate::model::profile::{Profile, ProfileSettings, is_own};
use crate::model::sip::ProfileName;

/// Profiles that there may be.
const PROFILES_MAX: usize = 100;

#[derive(Debug, FromRow)]
pub(super) struct ProfileRow {
    name: String,
    settings: String,
    created_ms: i64,
    changed_ms: i64,
}

impl TryFrom<ProfileRow> for Profile {
    type Error = StoreError;
    fn try_from(row: ProfileRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.name.parse().map_err(StoreError::corrupt)?,
            settings: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
            created: timestamp(row.created_ms)?,
            changed: timestamp(row.changed_ms)?,
        })
    }
}

pub(super) const ALL: &str = "SELECT * FROM sip_profile ORDER BY name";

impl Store {
    /// That a gateway may name this profile: FreeSWITCH's own are not known here.
    pub(super) async fn is_profile(&self, name: &ProfileName) -> Result<(), StoreError> {
        if !is_own(name.as_str())
            || self.operator().profiles().await?.iter().any(|one| one.name == *name)
        {
            return Ok(());
        }
        let sentence = format!("there is no profile `{name}`");
        Err(StoreError::Field("settings.profile", sentence))
    }
}

impl Operator {
    /// Adds a profile, or changes the one of this name.
    ///
    /// # Errors
    /// The settings make no sense, or another profile has the port.
    pub async fn put_profile(
        &self,
        name: &ProfileName,
        settings: &ProfileSettings,
    ) -> Result<Profile, StoreError> {
        settings.check().map_err(|fault| StoreError::Field(fault.field, fault.why.to_owned()))?;
        let (own, others): (Vec<_>, Vec<_>) =
            self.profiles().await?.into_iter().partition(|known| known.name == *name);
        if let Some(other) = others.iter().find(|other| other.settings.meets(settings)) {
            let sentence = format!("the profile `{}` listens there", other.name);
            return Err(StoreError::Field("port", sentence));
        }
        if others.len() >= PROFILES_MAX {
            return Err(StoreError::Conflict(format!("there are {PROFILES_MAX} profiles already")));
        }
        let was = own.first().map(|known| &known.settings);
        let act = self.act(None, "profile.put", name, was, Some(settings))?;
        let text = serde_json::to_string(settings).map_err(StoreError::corrupt)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO sip_profile (name, settings, created_ms, changed_ms) \
                 VALUES ($1, $2, $3, $3) ON CONFLICT (name) DO UPDATE SET \
                 settings = excluded.settings, changed_ms = excluded.changed_ms",
            )
            .bind(name.as_str())
            .bind(text)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        self.profile(name).await
    }

    pub async fn profile(&self, name: &ProfileName) -> Result<Profile, StoreError> {
        let found = self.profiles().await?.into_iter().find(|known| known.name == *name);
        found.ok_or_else(|| StoreError::not_found("profile", name))
    }

    /// By name.
    pub async fn profiles(&self) -> Result<Vec<Profile>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, ProfileRow>(ALL).fetch_all(db).await?
        });
        rows.into_iter().map(Profile::try_from).collect()
    }

    /// Forgets a profile; FreeSWITCH stops it.
    ///
    /// # Errors
    /// Gateways name it: how many, is said.
    pub async fn remove_profile(&self, name: &ProfileName) -> Result<(), StoreError> {
        let was = self.profile(name).await?.settings;
        let act = self.act(None, "profile.remove", name, Some(&was), None::<&()>)?;
        in_transaction!(self.store.ready().await?, tx => {
            let gateways: Vec<(String,)> =
                sqlx::query_as("SELECT settings FROM gateway").fetch_all(&mut *tx).await?;
            let named = gateways.iter().filter(|(settings,)| names(settings, name)).count();
            if named > 0 {
                let sentence = format!("gateways that name the profile `{name}`: {named}");
                return Err(StoreError::Conflict(sentence));
            }
            sqlx::query("DELETE FROM sip_profile WHERE name = $1")
                .bind(name.as_str())
                .execute(&mut *tx)
                .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }
}

fn names(settings: &str, profile: &ProfileName) -> bool {
    let settings: Option<GatewaySettings> = serde_json::from_str(settings).ok();
    settings.is_some_and(|settings| settings.profile.as_ref() == Some(profile))
}
