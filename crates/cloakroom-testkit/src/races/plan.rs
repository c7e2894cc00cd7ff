//! What a case is made of, before anybody decides on the order of events.

use std::time::Duration;

use super::{choice::Choices, operation::Operation};

/// The browsers, the waves of requests and the circumstances of a case.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Requests one after the other, without faults, before the first wave.
    pub(super) setup: Vec<Planned>,
    pub(super) waves: Vec<Wave>,
    /// One after the other each browser gets a copy of another one's cookie after the setup.
    pub(super) copies: Vec<(usize, usize)>,
    pub(super) rotates_itself: bool,
    /// How many faults of the store there are at most.
    pub(super) faults: usize,
    pub(super) clients_leave: bool,
    /// Whether the clock moves while requests are under way.
    pub(super) clock_moves: bool,
    /// Whether responses, handlers and replies of the store are events of their own.
    pub(super) is_fine: bool,
}

/// Requests at the same time.
#[derive(Debug, Clone)]
pub(super) struct Wave {
    /// How far the clock moves before it.
    pub(super) pause: Duration,
    pub(super) requests: Vec<Planned>,
    pub(super) sweeps: bool,
}

/// A request that will be sent.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) browser: usize,
    pub(super) process: usize,
    pub(super) operations: Vec<Operation>,
}

/// After this a use is noted again: more than a tenth of the idle limit.
pub(super) const TOUCH_DUE: Duration = Duration::from_secs(200);

/// After this every session has expired, and may be swept.
pub(super) const ALL_EXPIRED: Duration = Duration::from_secs(32 * 60);

/// After this the grace of a token whose successor was seen is over, and no request is late.
pub(super) const GRACE_OVER: Duration = Duration::from_secs(61);

impl Plan {
    /// Three requests of one browser at the same time.
    pub(super) fn triple(
        operations: [Operation; 3],
        processes: [usize; 3],
        starts_logged_in: bool,
    ) -> Self {
        let is_touched = operations.contains(&Operation::Touch);
        let mut setup = vec![Planned::filling(0)];
        if starts_logged_in {
            setup.push(Planned::new(0, Operation::Login(1)));
        }
        let requests = operations.into_iter().zip(processes);
        let planned = |(operation, process)| Planned {
            process,
            ..Planned::new(0, operation)
        };
        Self {
            setup,
            waves: vec![Wave {
                pause: match is_touched {
                    true => TOUCH_DUE,
                    false => Duration::from_secs(1),
                },
                requests: requests.map(planned).collect(),
                sweeps: false,
            }],
            copies: Vec::new(),
            rotates_itself: false,
            faults: 0,
            clients_leave: false,
            clock_moves: false,
            is_fine: false,
        }
    }

    /// How many browsers there are.
    pub(super) fn browsers(&self) -> usize {
        let of_waves = self.waves.iter().flat_map(|wave| &wave.requests);
        let planned = self.setup.iter().chain(of_waves);
        let copies = self.copies.iter().map(|(_, to)| *to);
        let most = planned.map(|planned| planned.browser).chain(copies).max();
        most.map_or(0, |most| most + 1)
    }

    /// Anything.
    pub(super) fn random(choices: &mut Choices) -> Self {
        let browsers = 1 + usize::from(choices.happens(3));
        let processes = 1 + usize::from(choices.happens(3));
        let mut setup = Vec::new();
        for browser in 0..browsers {
            if choices.happens(6) {
                continue;
            }
            setup.push(Planned::filling(browser));
            if choices.happens(2) {
                setup.push(Planned::new(browser, Operation::Login(1)));
            }
        }
        let copies = match choices.happens(6) {
            true => vec![(0, browsers)],
            false => Vec::new(),
        };
        let browsers = browsers + copies.len();
        let count = 1 + choices.pick(3);
        let waves = (0..count)
            .map(|n| Wave::random(choices, browsers, processes, n))
            .collect();
        Self {
            setup,
            waves,
            copies,
            rotates_itself: choices.happens(4),
            faults: match choices.happens(2) {
                true => 1 + choices.pick(3),
                false => 0,
            },
            clients_leave: choices.happens(4),
            clock_moves: choices.happens(4),
            is_fine: true,
        }
    }
}

impl Wave {
    fn random(choices: &mut Choices, browsers: usize, processes: usize, n: usize) -> Self {
        let pause = match choices.pick(10) {
            0..=3 => Duration::from_secs(1),
            4 | 5 => GRACE_OVER,
            6 | 7 => TOUCH_DUE,
            8 => Duration::from_secs(30),
            _ => ALL_EXPIRED,
        };
        let most = if n == 0 { 5 } else { 3 };
        let count = 2 + choices.pick(most);
        let requests = (0..count)
            .map(|_| Planned::random(choices, browsers, processes))
            .collect();
        Self {
            pause,
            requests,
            sweeps: choices.happens(if pause == ALL_EXPIRED { 2 } else { 8 }),
        }
    }
}

impl Planned {
    fn new(browser: usize, operation: Operation) -> Self {
        Self {
            browser,
            process: 0,
            operations: vec![operation],
        }
    }

    /// Gives every key a value, and leaves a message.
    fn filling(browser: usize) -> Self {
        Self {
            operations: vec![Operation::Fill, Operation::Flash],
            ..Self::new(browser, Operation::Fill)
        }
    }

    fn random(choices: &mut Choices, browsers: usize, processes: usize) -> Self {
        // Most are of one browser, or there would be few races.
        let browser = match choices.happens(2) {
            true => 0,
            false => choices.pick(browsers),
        };
        let process = choices.pick(processes);
        let first = random_operation(choices);
        let mut operations = vec![first];
        if !first.commits_at_once() && choices.happens(4) {
            let second = random_operation(choices);
            if !second.commits_at_once() && second != first {
                operations.push(second);
            }
            if choices.happens(6) {
                operations.push(Operation::Fail);
            }
        }
        Self {
            browser,
            process,
            operations,
        }
    }
}

fn random_operation(choices: &mut Choices) -> Operation {
    const OPERATIONS: [Operation; 28] = [
        Operation::Increment,
        Operation::Increment,
        Operation::Increment,
        Operation::Set,
        Operation::Set,
        Operation::Remove,
        Operation::Clear,
        Operation::Rotate,
        Operation::Rotate,
        Operation::Rotate,
        Operation::Revoke,
        Operation::Login(1),
        Operation::Login(1),
        Operation::Login(2),
        Operation::Logout,
        Operation::Logout,
        Operation::Read,
        Operation::Read,
        Operation::TakeOnce,
        Operation::TakeOnce,
        Operation::UpdateNow,
        Operation::Fill,
        Operation::Flash,
        Operation::Flash,
        Operation::Flash,
        Operation::Flashes,
        Operation::Flashes,
        Operation::Flashes,
    ];
    let n = choices.pick(OPERATIONS.len());
    OPERATIONS.get(n).copied().unwrap_or(Operation::Read)
}
