# Owns: what filters cost, as the control plane reads it out of the shared block.
# Thread and GIL: any Python thread, in any process that maps the block; holds the GIL.
# Never does: write a row; add up (pygw/bill.py does).
# Read next: types/bill.pxd for the layout.

from pygw._core.types.bill cimport bill_head_t

# As bills_read, of a worker in this process.
cdef dict bills_of(const bill_head_t* head)
