//! The system calls: all unsafe code of the crate.
//!
//! Addresses and control messages are byte arrays of their own, see [`Name`] and [`Control`], so
//! nothing here casts a structure to another. A header's pointers are set by the same function that
//! hands it to the kernel, and looked at by nobody afterwards.
#![expect(
    unsafe_code,
    reason = "no safe wrapper has recvmmsg, or control messages of UDP segments"
)]

use std::{
    io, iter,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use super::{
    Outgoing,
    control::{CONTROL, Control},
    name::{NAME, Name},
};

/// What `recvmmsg` and `sendmmsg` take, kept from call to call.
pub(super) struct Call {
    names: Vec<Name>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// What the kernel said of a datagram.
pub(super) struct Said<'a> {
    pub(super) name: &'a Name,
    pub(super) control: &'a Control,
    /// How much of `control` it wrote.
    pub(super) controls: usize,
    pub(super) length: usize,
    /// `MSG_TRUNC` and so on.
    pub(super) flags: i32,
}

impl Call {
    /// For at most `count` datagrams.
    pub(super) fn new(count: usize) -> Self {
        let vector = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: integers and pointers, for all of which zero is a value.
        let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self {
            names: vec![Name::EMPTY; count],
            controls: vec![Control::EMPTY; count],
            vectors: vec![vector; count],
            headers: vec![header; count],
        }
    }

    /// `recvmmsg` into these, and how many got something.
    pub(super) fn receive<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        spaces: impl Iterator<Item = &'a mut [u8]>,
        flags: i32,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (place, space) in self.places().zip(spaces) {
            *place.vector = libc::iovec {
                iov_base: space.as_mut_ptr().cast(),
                iov_len: space.len(),
            };
            place.join(NAME, CONTROL);
            count += 1;
        }
        // SAFETY: the first `count` headers have just been joined to a name, a control buffer and a
        // vector each, with their sizes; those live as long as `self`, which is borrowed mutably. Each
        // vector is a slice that is borrowed mutably for 'a, and so by nobody else.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                flags,
                ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// What was said of the datagram at this place of the last [`Self::receive`].
    pub(super) fn said(&self, index: usize) -> Option<Said<'_>> {
        let header = self.headers.get(index)?;
        Some(Said {
            name: self.names.get(index)?,
            control: self.controls.get(index)?,
            controls: header.msg_hdr.msg_controllen,
            length: usize::try_from(header.msg_len).ok()?,
            flags: header.msg_hdr.msg_flags,
        })
    }

    /// `sendmmsg` of these without waiting, and how many the kernel took.
    pub(super) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        batch: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (place, outgoing) in self.places().zip(batch) {
            *place.vector = libc::iovec {
                // The kernel does not write to it.
                iov_base: outgoing.data.as_ptr().cast_mut().cast(),
                iov_len: outgoing.data.len(),
            };
            let name = place.name.encode(outgoing.to);
            let control = place.control.write(outgoing.from, outgoing.segment);
            place.join(name, control);
            count += 1;
        }
        // SAFETY: the first `count` headers have just been joined to a name, a control buffer and a
        // vector each, with no more than their sizes; those live as long as `self`, which is borrowed
        // mutably. Each vector is a slice that is borrowed for 'a.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn places(&mut self) -> impl Iterator<Item = Place<'_>> {
        let addresses = iter::zip(&mut self.names, &mut self.controls);
        let data = iter::zip(&mut self.vectors, &mut self.headers);
        iter::zip(addresses, data).map(|((name, control), (vector, header))| Place {
            name,
            control,
            vector,
            header,
        })
    }
}

/// One of each.
struct Place<'a> {
    name: &'a mut Name,
    control: &'a mut Control,
    vector: &'a mut libc::iovec,
    header: &'a mut libc::mmsghdr,
}

impl Place<'_> {
    /// Points the header to the rest.
    fn join(self, name: usize, control: usize) {
        let header = &mut self.header.msg_hdr;
        header.msg_name = ptr::from_mut(self.name).cast();
        header.msg_namelen = u32::try_from(name.min(NAME)).unwrap_or_default();
        header.msg_iov = self.vector;
        header.msg_iovlen = 1;
        header.msg_control = ptr::from_mut(self.control).cast();
        header.msg_controllen = control.min(CONTROL);
    }
}

/// Sets an option that is an integer to 1.
pub(super) fn set(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<()> {
    let on: i32 = 1;
    // SAFETY: what is pointed to during the call is an integer of the four bytes that are said.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&on).cast(),
            4,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
