//! The programs and the gates of The AsyncDrop Book.
