"""The messages of Salesforce's event bus, made when they are first needed.

Generated code would need the same major version of protobuf as its generator, which is another one in each Airflow.

https://github.com/forcedotcom/pub-sub-api/blob/main/pubsub_api.proto (CC0-1.0)
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

PACKAGE, SERVICE = "eventbus.v1", "PubSub"
#: Fields in the order of their numbers, which begin at 1: name, and kind. ``[]`` means any number of them.
_MESSAGES = {
    "TopicRequest": (("topic_name", "string"),),
    "TopicInfo": (
        ("topic_name", "string"), ("tenant_guid", "string"), ("can_publish", "bool"), ("can_subscribe", "bool"),
        ("schema_id", "string"), ("rpc_id", "string"),
    ),
    "SchemaRequest": (("schema_id", "string"),),
    "SchemaInfo": (("schema_json", "string"), ("schema_id", "string"), ("rpc_id", "string")),
    "EventHeader": (("key", "string"), ("value", "bytes")),
    "ProducerEvent": (("id", "string"), ("schema_id", "string"), ("payload", "bytes"), ("headers", "EventHeader[]")),
    "ConsumerEvent": (("event", "ProducerEvent"), ("replay_id", "bytes")),
    "FetchRequest": (
        ("topic_name", "string"), ("replay_preset", "int32"), ("replay_id", "bytes"), ("num_requested", "int32"),
        ("auth_refresh", "string"),
    ),
    "FetchResponse": (
        ("events", "ConsumerEvent[]"), ("latest_replay_id", "bytes"), ("rpc_id", "string"),
        ("pending_num_requested", "int32"),
    ),
}  # fmt: skip
#: Where a stream begins. An enum travels as the number that it is.
LATEST, EARLIEST, CUSTOM = 0, 1, 2


@cache
def messages() -> MappingProxyType[str, Any]:
    """The classes of the messages by their names."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    kinds = {
        "string": field.TYPE_STRING, "bytes": field.TYPE_BYTES, "bool": field.TYPE_BOOL, "int32": field.TYPE_INT32,
    }  # fmt: skip
    file = descriptor_pb2.FileDescriptorProto(name="pubsub_api.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field_name, kind) in enumerate(fields, 1):
            many, kind = kind.endswith("[]"), kind.removesuffix("[]")
            made = message.field.add(name=field_name, number=number)
            made.label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
            made.type = kinds.get(kind, field.TYPE_MESSAGE)
            if kind not in kinds:
                made.type_name = f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }
    return MappingProxyType(classes)
