//! `spindle top`: a venue that runs, in a terminal. State and keys here know no terminal; what is drawn is a
//! function of the state.

mod app;
mod draw;
mod panes;
mod sheet;
mod source;

pub use app::{App, Key, Outcome};
pub use draw::{draw, frame_text};
pub use source::{Source, SourceError, ask};
