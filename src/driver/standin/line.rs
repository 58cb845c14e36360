//! One call, with the legs that belong to it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{LINES_MAX, StandIn, tape};
use crate::base::cause::HangupCause;
use crate::simulator::{Caller, Channel, FarState, Observed, Overheard, Verdict};

/// What is read at once, in bytes.
const READ_MAX: usize = 64 * 1_024;
/// Orders that wait for a call.
const ORDERS_MAX: usize = 64;
/// How long a call may last.
const LENGTH_MAX: Duration = Duration::from_secs(3_600);

/// A call, as others see it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) orders: mpsc::Sender<Order>,
    /// The caller's channel first.
    pub(super) rows: Vec<Row>,
}

/// A channel, for the list of all.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) uuid: String,
    pub(super) inbound: bool,
    pub(super) created_s: i64,
    pub(super) number: String,
    pub(super) application: &'static str,
}

/// What a call is told, and who waits for the answer.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) text: Vec<u8>,
    pub(super) answer: oneshot::Sender<Vec<u8>>,
}

/// Takes its place among the calls; it goes with the receiver's owner, see [`StandIn::leave`].
pub(super) fn enter(standin: &StandIn, row: Row) -> io::Result<mpsc::Receiver<Order>> {
    let mut lines = standin.lines();
    if lines.len() >= LINES_MAX {
        return Err(io::Error::other(format!("there are {LINES_MAX} calls already")));
    }
    let (orders, ordered) = mpsc::channel(ORDERS_MAX);
    lines.insert(row.uuid.clone(), Line { orders, rows: vec![row] });
    Ok(ordered)
}

impl StandIn {
    pub(super) fn leave(&self, uuid: &str) {
        self.lines().remove(uuid);
    }
}

/// A call that goes on.
pub(super) struct Run {
    standin: StandIn,
    channel: Channel,
    caller: Caller,
    stream: Option<TcpStream>,
    orders: mpsc::Receiver<Order>,
    /// Who waits for what came of an order.
    asked: BTreeMap<u64, oneshot::Sender<Vec<u8>>>,
    number: u64,
    created_s: i64,
    /// How much of the channel's log was looked at.
    seen: usize,
}

impl Run {
    pub(super) fn open(standin: &StandIn, channel: Channel, caller: Caller) -> io::Result<Self> {
        let created_s = standin.0.clock.now().wall.as_second();
        let row = Row {
            uuid: channel.uuid().to_owned(),
            inbound: true,
            created_s,
            number: String::new(),
            application: "socket",
        };
        let orders = enter(standin, row)?;
        Ok(Self::on(standin, channel, caller, orders))
    }

    /// The same for a call that has its place already.
    pub(super) fn on(
        standin: &StandIn,
        mut channel: Channel,
        caller: Caller,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        channel.listen();
        Self {
            standin: standin.clone(),
            channel,
            caller,
            stream: None,
            orders,
            asked: BTreeMap::new(),
            number: 0,
            created_s: standin.0.clock.now().wall.as_second(),
            seen: 0,
        }
    }

    pub(super) async fn run(mut self) -> Verdict {
        if timeout(LENGTH_MAX, self.talk()).await.is_err() {
            let now = self.standin.0.clock.now();
            self.channel.hang_up(HangupCause::AllottedTimeout, now);
            self.channel.closed(now);
            self.tell().await;
        }
        self.standin.leave(self.channel.uuid());
        self.caller.verdict().cloned().unwrap_or(Verdict::Passed)
    }

    async fn talk(&mut self) {
        let clock = self.standin.0.clock;
        let mut bytes = BytesMut::with_capacity(READ_MAX);
        loop {
            self.caller.act(&mut self.channel, clock.now());
            self.connect().await;
            let out = self.channel.transmit();
            // A file is whole before anybody is told so.
            self.tell().await;
            self.write(&out).await;
            let open = self.stream.is_some();
            if self.channel.is_over() && (!open || self.caller.verdict().is_some()) {
                return;
            }
            let due = [self.channel.deadline(), self.caller.deadline()].into_iter().flatten().min();
            tokio::select! {
                biased;
                read = read(&mut self.stream, &mut bytes), if open => match read {
                    Ok(1..) => {
                        self.channel.receive(&bytes, clock.now());
                        bytes.clear();
                    }
                    Ok(0) | Err(_) => self.lose(),
                },
                Some(order) = self.orders.recv() => {
                    self.number += 1;
                    self.asked.insert(self.number, order.answer);
                    self.channel.order(self.number, &order.text, clock.now());
                }
                () = clock.reach(due) => self.channel.tick(clock.now()),
            }
        }
    }

    /// The dialplan asks for a connection: the one before is nobody's any more.
    async fn connect(&mut self) {
        if self.channel.wants().is_none() {
            return;
        }
        let controller = self.standin.0.controller.get();
        let stream = match controller {
            Some(controller) => TcpStream::connect(controller).await.ok(),
            None => None,
        };
        let now = self.standin.0.clock.now();
        match stream {
            Some(stream) => {
                drop(stream.set_nodelay(true));
                self.channel.connected(now);
                self.stream = Some(stream);
            }
            None => self.channel.refused(now),
        }
    }

    async fn write(&mut self, out: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        if !out.is_empty() && stream.write_all(out).await.is_err() {
            return self.lose();
        }
        if self.channel.is_closed()
            && let Some(mut stream) = self.stream.take()
        {
            drop(stream.shutdown().await);
        }
    }

    fn lose(&mut self) {
        self.stream = None;
        self.channel.closed(self.standin.0.clock.now());
    }

    /// Everything that others are to know: recordings as files, events, what came of orders, and
    /// which channels there are.
    async fn tell(&mut self) {
        let mut over = Vec::new();
        for moment in self.channel.log().moments().iter().skip(self.seen) {
            self.seen += 1;
            if let Observed::Recorded { path, ms } = &moment.what {
                over.push((path.clone(), *ms));
            }
        }
        for (path, ms) in over {
            tape::write(&self.standin.0.tapes, path.as_ref(), ms).await;
        }
        // Nobody here gives a far party a call of its own.
        if let Some((leg, _)) = self.channel.brought() {
            let now = self.standin.0.clock.now();
            self.channel.hang_up_far(&leg, HangupCause::NormalClearing, now);
        }
        for event in self.channel.overheard().iter().filter_map(|json| Overheard::read(json)) {
            self.standin.tell(event);
        }
        for (number, output) in self.channel.outcomes() {
            if let Some(answer) = self.asked.remove(&number) {
                // Whoever asked may be gone.
                let _ = answer.send(output);
            }
        }
        let rows = self.rows();
        if let Some(line) = self.standin.lines().get_mut(self.channel.uuid()) {
            line.rows = rows;
        }
    }

    fn rows(&self) -> Vec<Row> {
        let legs = self.channel.far_legs();
        let uuid = self.channel.uuid();
        let talks = self.channel.talks_with().is_some();
        let own = Row {
            uuid: uuid.to_owned(),
            inbound: true,
            created_s: self.created_s,
            number: String::new(),
            application: if talks { "bridge" } else { "socket" },
        };
        let others = legs.into_iter().map(|leg| Row {
            uuid: leg.uuid,
            inbound: false,
            created_s: self.created_s,
            number: leg.number,
            application: if leg.state == FarState::Hears { "eavesdrop" } else { "" },
        });
        let own = self.channel.is_there(uuid).then_some(own);
        own.into_iter().chain(others).collect()
    }
}

async fn read(stream: &mut Option<TcpStream>, bytes: &mut BytesMut) -> io::Result<usize> {
    match stream {
        Some(stream) => stream.read_buf(bytes).await,
        None => std::future::pending().await,
    }
}
