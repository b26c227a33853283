package plumb;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.discovery.event.HeartbeatEvent;
import org.springframework.cloud.client.loadbalancer.LoadBalancerClient;
import org.springframework.context.event.EventListener;
import org.springframework.scheduling.annotation.EnableScheduling;

/** Tells as JSON lines what Spring's own clients see: the services, instances, choices; again at each heartbeat. */
@EnableScheduling
@SpringBootApplication
public class Client {
  private static volatile DiscoveryClient discovery;
  private static volatile LoadBalancerClient balancer;

  public static void main(String[] args) throws Exception {
    var context = new SpringApplicationBuilder(Client.class).web(WebApplicationType.NONE).run(args);
    discovery = context.getBean(DiscoveryClient.class);
    balancer = context.getBean(LoadBalancerClient.class);
    tell("started");
    Thread.sleep(Long.MAX_VALUE);
  }

  @EventListener
  void onHeartbeat(HeartbeatEvent event) throws Exception {
    if (balancer != null) tell("heartbeat");
  }

  private static synchronized void tell(String why) throws Exception {
    var told = new TreeMap<String, Object>();
    told.put("why", why);
    told.put("services", discovery.getServices());
    told.put("instances", discovery.getInstances("web").stream().map(Client::describe).toList());
    ServiceInstance chosen = balancer.choose("web");
    if (chosen != null) told.put("chosen", chosen.getHost() + ":" + chosen.getPort());
    System.out.println("SEEN " + new ObjectMapper().writeValueAsString(told));
  }

  private static Map<String, Object> describe(ServiceInstance instance) {
    return Map.of(
        "host", instance.getHost(),
        "port", instance.getPort(),
        "secure", instance.isSecure(),
        "serviceId", instance.getServiceId(),
        "metadata", instance.getMetadata());
  }
}
