"""The protocol buffer classes of google.firestore.v1.

google-cloud-firestore publishes them only inside proto-plus wrappers, whose import takes longer than any other here.
So they are made from their descriptions in messages.binpb, which `make protocol` takes from that library.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# A pool of our own: where the library is loaded too, as in event functions, the default one has these names already.
_POOL: Final = DescriptorPool()


def _files(descriptor_set: bytes) -> Iterator[bytes]:
    """The members of a serialized FileDescriptorSet, which has one field, number 1, again and again.

    Its own class would parse them only to have them serialized again, and takes a hundredth of the start to load.
    """
    at = 0
    while at < len(descriptor_set):
        at += 1  # the field's tag
        length = shift = 0
        while True:
            byte = descriptor_set[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        yield descriptor_set[at : at + length]
        at += length


for _file in _files(Path(__file__).with_suffix(".binpb").read_bytes()):
    _POOL.AddSerializedFile(_file)


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"google.firestore.v1.{name}"))


Value = _message("Value")
DocumentMessage = _message("Document")
DocumentMask = _message("DocumentMask")
Precondition = _message("Precondition")
TransactionOptions = _message("TransactionOptions")
StructuredQuery = _message("StructuredQuery")
StructuredAggregationQuery = _message("StructuredAggregationQuery")
Cursor = _message("Cursor")
WriteMessage = _message("Write")
FieldTransform = _message("DocumentTransform.FieldTransform")
AggregationResult = _message("AggregationResult")

GetDocumentRequest = _message("GetDocumentRequest")
BatchGetDocumentsRequest = _message("BatchGetDocumentsRequest")
BatchGetDocumentsResponse = _message("BatchGetDocumentsResponse")
RunQueryRequest = _message("RunQueryRequest")
RunQueryResponse = _message("RunQueryResponse")
RunAggregationQueryRequest = _message("RunAggregationQueryRequest")
RunAggregationQueryResponse = _message("RunAggregationQueryResponse")
BeginTransactionRequest = _message("BeginTransactionRequest")
BeginTransactionResponse = _message("BeginTransactionResponse")
CommitRequest = _message("CommitRequest")
CommitResponse = _message("CommitResponse")
RollbackRequest = _message("RollbackRequest")
