//! Applications that FreeSWITCH runs by itself when something happens on a call, from variables
//! such as `execute_on_pre_originate_NAME=app arguments` (switch_channel.c,
//! `switch_channel_execute_on`).

use super::channel::Channel;
use super::execute::End;
use super::wire::{Packet, until};

impl Channel {
    /// Runs every hook whose variable begins with `event`. Only applications that take no time are
    /// simulated; one written `app::arguments` waits in the queue like a command.
    pub(super) fn run_hooks(&mut self, event: &[u8]) {
        let begins = |name: &[u8]| {
            name.get(..event.len()).is_some_and(|start| start.eq_ignore_ascii_case(event))
        };
        let hooks = self.vars.iter().filter(|(name, _)| begins(name));
        let hooks: Vec<Vec<u8>> = hooks.map(|(_, hook)| hook.to_vec()).collect();
        for hook in hooks {
            if let Some(at) = hook.windows(2).position(|two| two == b"::") {
                self.enqueue(Packet::execute(&hook[..at], &hook[at + 2..]));
                continue;
            }
            let app = until(&hook, |b| b == b' ');
            let arg = hook.get(app.len() + 1..);
            let depth = self.stack.len();
            self.execute(&String::from_utf8_lossy(app), arg, false, None);
            if self.stack.len() > depth {
                self.complete(End::Normal);
            }
        }
    }
}
