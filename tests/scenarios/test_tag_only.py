"""Sites that create their servers by other means (Heat, Terraform, Ansible) and only tag them."""

from __future__ import annotations

from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.site import Site


def test_the_tag_alone_is_enough(cloud: Cloud, site: Site) -> None:
    request_id = "site-batch-17"
    ids = cloud.create(request_id, 2, tags=[f"hf:{request_id}"])
    cloud.wait(ids)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete"
    assert sorted(machine["machineId"] for machine in answer["machines"]) == sorted(ids)


def test_hf_count_says_how_many_to_wait_for(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    first = cloud.create(request_id, metadata={"hf_count": "2"})
    cloud.wait(first)
    halfway = site.poll_one(request_id)
    assert halfway["status"] == "running"
    assert [machine["result"] for machine in halfway["machines"]] == ["succeed"]
    cloud.wait(cloud.create(request_id, metadata={"hf_count": "2"}))
    assert site.poll_one(request_id)["status"] == "complete"


def test_too_few_at_the_deadline(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, metadata={"hf_count": "3"})
    cloud.wait(ids)
    cloud.age(ids[0], 1801)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    assert answer["message"].startswith("2 of 3 machines did not appear")


def test_the_guests_host_name(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, name="Rendering Node_1.example") + cloud.create(
        request_id, name="other", metadata={"hf_hostname": "node7.example.org"}
    )
    cloud.wait(ids)
    names = {machine["machineId"]: machine["name"] for machine in site.poll_one(request_id)["machines"]}
    assert names == {ids[0]: "rendering-node-1-example", ids[1]: "node7.example.org"}
