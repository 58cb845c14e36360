//! Which gateways a number is tried by, in which order: a picture of one moment, without I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{CallerRule, Calling, Dialed, Lock, Refusal, Route, RouteGateway, Rules, Shown};
use crate::base::ids::{GatewayName, RouteName};
use crate::model::e164::NumberPlan;

/// What a tenant has for calls to numbers outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outbound {
    /// The first that fits is taken: by order, and the longest prefix first.
    routes: Vec<(RouteName, Route)>,
    pub rules: Rules,
    pub locked: Option<Lock>,
    /// How the tenant's numbers are written.
    pub numbering: Option<NumberPlan>,
    /// The tenant's own numbers, as they are written, and those that its extensions show outside.
    pub numbers: BTreeSet<String>,
    pub extensions: BTreeMap<String, String>,
    trunks: BTreeMap<GatewayName, Trunk>,
    /// An IANA time zone.
    pub timezone: String,
}

/// A gateway that the tenant may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// FreeSWITCH's name of it.
    pub switch: GatewayName,
    /// Calls at once, in both directions.
    pub most: Option<u32>,
}

/// One gateway by which a number may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The tenant's name of it.
    pub name: GatewayName,
    pub trunk: Trunk,
    /// The number as the gateway gets it.
    pub number: String,
    /// Who is shown, where it is not who would be.
    pub shown: Option<Shown>,
}

/// How a number is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// It is called for help: no limit counts.
    pub emergency: bool,
    pub route: Option<RouteName>,
    /// The best first; never empty.
    pub candidates: Vec<Candidate>,
    /// The SIP codes after which the next one is tried.
    pub fails_over: Vec<u16>,
}

/// Whatever a gateway says to a call for help, the next one may do better: some say busy when they
/// have no channel left.
const FAILURES: RangeInclusive<u16> = 400..=699;

impl Outbound {
    pub fn new(
        routes: impl IntoIterator<Item = (RouteName, Route)>,
        trunks: impl IntoIterator<Item = (GatewayName, Trunk)>,
        timezone: &str,
    ) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by(|(name, route), (other_name, other)| {
            let length = |route: &Route| route.prefix.as_str().len();
            let longer = length(other).cmp(&length(route));
            route.order.cmp(&other.order).then(longer).then_with(|| name.cmp(other_name))
        });
        let (trunks, timezone) = (trunks.into_iter().collect(), timezone.to_owned());
        Self { routes, trunks, timezone, ..Self::default() }
    }

    /// Whether there is anything to decide before a number is called.
    pub fn decides(&self) -> bool {
        !self.routes.is_empty()
            || self.locked.is_some()
            || !self.rules.are_open()
            || !self.extensions.is_empty()
            || self.trunks.values().any(|trunk| trunk.most.is_some())
    }

    /// How a number is called, by a gateway that is named as FreeSWITCH names it or by the routes.
    /// `seed` decides between gateways of one order.
    ///
    /// # Errors
    /// No gateway is there for it, or its digits forbid it.
    pub fn plan(
        &self,
        number: &str,
        named: Option<&GatewayName>,
        seed: u64,
    ) -> Result<Plan, Refusal> {
        let dialed = self.dialed(number);
        let emergency = self.rules.is_emergency(number, self.numbering.as_ref());
        if !emergency && !self.rules.allows(&dialed) {
            return Err(Refusal::Denied);
        }
        let mut plan = Plan { emergency, route: None, candidates: Vec::new(), fails_over: vec![] };
        if let Some(named) = named {
            plan.candidates.extend(self.known(|_, trunk| trunk.switch == *named, number));
            if plan.candidates.is_empty() {
                return Err(Refusal::NoGateway);
            }
        } else {
            self.by_routes(&mut plan, &dialed, number, seed);
        }
        if emergency {
            let tried: Vec<_> = plan.candidates.iter().map(|one| one.name.clone()).collect();
            plan.candidates.extend(self.known(|name, _| !tried.contains(name), number));
            plan.fails_over = FAILURES.collect();
        }
        match (plan.candidates.is_empty(), &plan.route) {
            (false, _) => Ok(plan),
            (true, Some(_)) => Err(Refusal::NoGateway),
            (true, None) => Err(Refusal::NoRoute),
        }
    }

    /// A number in all its spellings.
    pub fn dialed(&self, number: &str) -> Dialed<'_> {
        Dialed::new(number, self.numbering.as_ref())
    }

    /// Says of each gateway who is shown by it. Who calls for help is never hidden.
    pub fn show(&self, plan: &mut Plan, calling: &Calling) {
        let is_it = |(name, _): &&(RouteName, Route)| Some(name) == plan.route.as_ref();
        let route = self.routes.iter().find(is_it).map(|(_, route)| route);
        let outside = calling.extension.as_ref().and_then(|number| self.extensions.get(number));
        let is_own = |number: &str| {
            let number = self.dialed(number);
            self.numbers.iter().any(|own| self.dialed(own).plainest() == number.plainest())
        };
        for one in &mut plan.candidates {
            let entry =
                route.and_then(|route| route.gateways.iter().find(|e| e.gateway == one.name));
            let nearest = entry.and_then(|entry| entry.caller.as_ref());
            let nearest = nearest.or_else(|| route.and_then(|route| route.caller.as_ref()));
            let rule = nearest.or(self.rules.caller.as_ref()).unwrap_or(&CallerRule::Caller);
            let hides = plan.emergency && *rule == CallerRule::Anonymous;
            let rule = if hides { &CallerRule::Caller } else { rule };
            one.shown = rule.shows(&calling.number, outside.map(String::as_str), is_own);
        }
    }

    /// Without any route the first gateway is taken, and has the number as it was dialed. Help is
    /// called by the number that was dialed, unless a route is there for just that number.
    fn by_routes(&self, plan: &mut Plan, dialed: &Dialed<'_>, number: &str, seed: u64) {
        let whole = self.numbering.as_ref().and_then(|plan| plan.normalise(number));
        let mut fitting = self.routes.iter().filter_map(|(name, route)| {
            Some((name, route, dialed.taken_by(route, number, whole.as_deref())?))
        });
        if let Some((name, route, taken)) = fitting.next() {
            plan.route = Some(name.clone());
            plan.fails_over.clone_from(&route.fails_over);
            let as_is = plan.emergency && route.prefix.as_str() != number;
            let sent = if as_is { Some(number.to_owned()) } else { route.dialed(&taken) };
            let Some(sent) = sent else { return };
            let turns = turns(&route.gateways, seed).into_iter();
            plan.candidates.extend(turns.filter_map(|name| {
                let trunk = self.trunks.get(name)?.clone();
                Some(Candidate { name: name.clone(), trunk, number: sent.clone(), shown: None })
            }));
        } else if self.routes.is_empty() {
            plan.candidates.extend(self.known(|_, _| true, number).take(1));
        }
    }

    /// The tenant's own come first, as they do where nothing is to be decided.
    fn known<'a>(
        &'a self,
        wanted: impl Fn(&GatewayName, &Trunk) -> bool + 'a,
        number: &str,
    ) -> impl Iterator<Item = Candidate> + 'a {
        let number = number.to_owned();
        let own = |(name, trunk): &(&GatewayName, &Trunk)| trunk.switch != **name;
        let (own, given): (Vec<_>, Vec<_>) = self.trunks.iter().partition(own);
        own.into_iter().chain(given).filter(move |(name, trunk)| wanted(name, trunk)).map(
            move |(name, trunk)| Candidate {
                name: name.clone(),
                trunk: trunk.clone(),
                number: number.clone(),
                shown: None,
            },
        )
    }
}

/// By order, and in one order by lot: each comes first as often as its weight says.
fn turns(gateways: &[RouteGateway], mut seed: u64) -> Vec<&GatewayName> {
    let mut left: Vec<&RouteGateway> = gateways.iter().collect();
    let mut turns = Vec::new();
    while let Some(order) = left.iter().map(|one| one.order).min() {
        let alike = || left.iter().filter(|one| one.order == order);
        let total: u64 = alike().map(|one| u64::from(one.weight.max(1))).sum();
        seed = mixed(seed);
        let mut lot = seed % total.max(1);
        let drawn = alike().find(|one| {
            let weight = u64::from(one.weight.max(1));
            let hit = lot < weight;
            lot = lot.saturating_sub(weight);
            hit
        });
        let Some(drawn) = drawn.map(|one| &one.gateway) else { break };
        turns.push(drawn);
        left.retain(|one| one.gateway != *drawn);
    }
    turns
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number that tells nothing of the one before.
const fn mixed(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> GatewayName {
        text.parse().unwrap()
    }

    fn route(json: &str) -> (RouteName, Route) {
        let (name, json) = json.split_once(' ').unwrap();
        (name.parse().unwrap(), serde_json::from_str(json).unwrap())
    }

    /// Own gateways `a`, `b` and `c`, of which `a` has two calls at most; `given` is given.
    fn laid_down(routes: &[&str]) -> Outbound {
        let trunk = |own: &str| Trunk {
            switch: name(&format!("cw-{own}")),
            most: (own == "a").then_some(2),
        };
        let trunks = ["a", "b", "c"].map(|own| (name(own), trunk(own)));
        let given = (name("given"), Trunk { switch: name("given"), most: None });
        let routes = routes.iter().map(|json| route(json));
        Outbound::new(routes, trunks.into_iter().chain([given]), "UTC")
    }

    fn tried(outbound: &Outbound, number: &str, named: Option<&str>) -> Vec<String> {
        let named = named.map(name);
        let plan = outbound.plan(number, named.as_ref(), 7);
        let shown = |one: &Candidate| format!("{}:{}", one.name, one.number);
        plan.map_or_else(
            |why| vec![why.to_string()],
            |plan| plan.candidates.iter().map(shown).collect(),
        )
    }

    const ALL: &str = r#"all {"gateways": [{"gateway": "c"}]}"#;
    const GERMANY: &str = r#"germany {"prefix": "+49", "strip": 3, "prepend": "0",
        "gateways": [{"gateway": "b", "order": 2}, {"gateway": "a", "order": 1}]}"#;

    #[test]
    fn the_longest_prefix_of_the_lowest_order_leads_to_its_gateways_in_their_order() {
        let outbound = laid_down(&[ALL, GERMANY]);
        assert_eq!(tried(&outbound, "+4930", None), ["a:030", "b:030"]);
        assert_eq!(tried(&outbound, "+33", None), ["c:+33"]);
        let before = r#"before {"order": -1, "gateways": [{"gateway": "given"}]}"#;
        let outbound = laid_down(&[ALL, GERMANY, before]);
        assert_eq!(tried(&outbound, "+4930", None), ["given:+4930"]);
    }

    #[test]
    fn a_named_gateway_stays_what_it_was_and_is_the_only_one() {
        let outbound = laid_down(&[ALL, GERMANY]);
        assert_eq!(tried(&outbound, "+4930", Some("cw-b")), ["b:+4930"]);
        assert_eq!(tried(&outbound, "+4930", Some("given")), ["given:+4930"]);
        let gone = "the route's gateways are not there, or are switched off";
        assert_eq!(tried(&outbound, "+4930", Some("cw-x")), [gone]);
    }

    #[test]
    fn a_number_without_a_route_is_not_called_and_without_any_route_by_the_first_gateway() {
        assert_eq!(tried(&laid_down(&[GERMANY]), "+33", None), ["no route leads to the number"]);
        assert_eq!(tried(&laid_down(&[]), "+33", None), ["a:+33"]);
    }

    #[test]
    fn help_is_called_by_every_gateway_that_there_is_whatever_is_denied() {
        let mut outbound = laid_down(&[GERMANY]);
        outbound.rules.denied = vec![String::new().try_into().unwrap()];
        assert!(outbound.plan("+4930", None, 0) == Err(Refusal::Denied));
        assert_eq!(tried(&outbound, "112", None), ["a:112", "b:112", "c:112", "given:112"]);
        let first = tried(&outbound, "112", Some("cw-c"));
        assert_eq!(first, ["c:112", "a:112", "b:112", "given:112"]);
        let plan = outbound.plan("112", None, 0).unwrap();
        assert!(plan.emergency && plan.fails_over.contains(&486));
    }

    #[test]
    fn a_number_is_led_and_judged_alike_however_it_is_dialed() {
        let mut outbound = laid_down(&[ALL, GERMANY]);
        outbound.numbering = Some(NumberPlan::of("49"));
        outbound.rules.denied = vec!["+49900".parse().unwrap()];
        for number in ["+49301234567", "0049301234567", "0301234567"] {
            assert_eq!(tried(&outbound, number, None), ["a:0301234567", "b:0301234567"]);
            assert_eq!(tried(&outbound, number, Some("cw-b")), [format!("b:{number}")]);
        }
        assert_eq!(tried(&outbound, "0044201234567", None), ["c:+44201234567"]);
        for number in ["+49900123456", "0900123456", "*31#00490900123456"] {
            assert_eq!(outbound.plan(number, None, 0), Err(Refusal::Denied), "{number}");
        }
    }

    #[test]
    fn no_route_changes_the_number_for_help_unless_it_is_for_just_that() {
        let abroad = r#"all {"prepend": "0049", "gateways": [{"gateway": "c"}]}"#;
        let outbound = laid_down(&[abroad]);
        assert_eq!(tried(&outbound, "112", None)[0], "c:112");
        assert_eq!(tried(&outbound, "30", None), ["c:004930"]);
        let own = r#"own {"prefix": "112", "prepend": "9", "gateways": [{"gateway": "b"}]}"#;
        assert_eq!(tried(&laid_down(&[abroad, own]), "112", None)[0], "b:9112");
    }

    #[test]
    fn the_nearest_rule_says_who_is_shown_and_nobody_hides_who_calls_for_help() {
        let route = r#"all {"caller": {"show": "number", "number": "1"}, "gateways": [
            {"gateway": "a"}, {"gateway": "b", "caller": {"show": "anonymous"}}]}"#;
        let britain = r#"britain {"prefix": "+44", "gateways": [{"gateway": "c"}]}"#;
        let mut outbound = laid_down(&[route, britain]);
        outbound.numbering = Some(NumberPlan::of("49"));
        outbound.numbers = ["030 100200".to_owned()].into();
        outbound.extensions = [("200".to_owned(), "+4930100200".to_owned())].into();
        let own = r#"{"caller": {"show": "own", "number": "+4930100299"}}"#;
        outbound.rules = serde_json::from_str(own).unwrap();
        let shows = |number: &str, by: &str, caller: &str, extension: Option<&str>| {
            let mut plan = outbound.plan(number, None, 0).unwrap();
            let extension = extension.map(str::to_owned);
            outbound.show(&mut plan, &Calling { number: caller.into(), extension });
            plan.candidates.iter().find(|one| one.name == name(by)).unwrap().shown.clone()
        };
        let shown = |number: &str| Some(Shown::As { number: number.into(), name: None });
        assert_eq!(shows("+331234567", "a", "200", None), shown("1"), "the route's");
        assert_eq!(shows("+331234567", "b", "200", None), Some(Shown::Nobody), "the gateway's");
        assert_eq!(shows("112", "b", "200", Some("200")), shown("+4930100200"));
        assert_eq!(shows("+442012345", "c", "0049 30 100200", None), None, "its own");
        assert_eq!(shows("+442012345", "c", "+18005550100", None), shown("+4930100299"));
        assert_eq!(shows("+442012345", "c", "201", Some("201")), shown("+4930100299"));
    }

    #[test]
    fn of_one_order_each_gateway_comes_first_as_often_as_its_weight_says() {
        let route = route(
            r#"r {"gateways": [{"gateway": "a", "weight": 3}, {"gateway": "b"},
            {"gateway": "c", "order": 1}]}"#,
        );
        let mut firsts = BTreeMap::new();
        for seed in 0..4_000 {
            let turns = turns(&route.1.gateways, seed);
            assert_eq!((turns.len(), turns[2].as_str()), (3, "c"));
            *firsts.entry(turns[0].as_str()).or_insert(0) += 1;
        }
        assert!((2_850..3_150).contains(&firsts["a"]), "{firsts:?}");
    }

    #[test]
    fn nothing_is_decided_for_who_laid_nothing_down() {
        let own = [(name("a"), Trunk { switch: name("cw-a"), most: None })];
        let mut outbound = Outbound::new([], own, "UTC");
        assert!(!outbound.decides());
        outbound.rules.per_second = Some(1);
        assert!(outbound.decides());
        assert!(laid_down(&[]).decides(), "a gateway has a limit");
    }
}
