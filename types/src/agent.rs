/// A part of the venue that runs: it does a bounded amount of work whenever it is polled.
///
/// A runner decides where an agent runs: alone on a pinned thread that spins, or side by side with
/// others on one thread. A test steps agents by hand. An agent therefore never blocks and never
/// sleeps inside `poll`.
pub trait Agent: Send {
    /// The name of the agent, for thread names and messages.
    fn name(&self) -> &str;

    /// Does a bounded amount of work and returns how many units were done; 0 means idle.
    fn poll(&mut self) -> usize;

    /// Whether the agent has nothing left to do, ever. A runner stops polling it then.
    fn is_done(&self) -> bool {
        false
    }
}
